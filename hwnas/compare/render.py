"""A comparison as text, CSV and a figure (bars with their intervals, as SVG)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from hwnas.compare import paper
from hwnas.compare.measure import OURS, Comparison, Row
from hwnas.report.html import Html, tag

BAR, GAP, LEFT, WIDE, RIGHT, TOP = 18, 8, 190, 420, 110, 34  # px
COLOURS = {True: "#b4530a", False: "#5b6f8a"}  # of this search, known
FONT = "system-ui, sans-serif"
HEADER = ("network", "px", "params M", "MAdds M", "ms here", "i7 ms", "top-1 %")


def lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Cells of the table under `HEADER`."""
    return [
        (
            f"{'* ' * (row.source == OURS)}{row.name}", str(row.size), f"{row.params / 1e6:.3g}",
            f"{row.madds / 1e6:.3g}", _ms(row), "-" if row.paper_cpu_ms is None else f"{row.paper_cpu_ms:g}",
            _top1(row),
        )
        for row in rows
    ]  # fmt: skip


def _ms(row: Row) -> str:
    """With the wider side of its interval."""
    if row.ms is None or row.low is None or row.high is None:
        return "failed"
    return f"{row.ms:.4g} ± {max(row.ms - row.low, row.high - row.ms):.2g}"


def _top1(row: Row) -> str:
    value = row.top1 if row.source == OURS else row.imagenet_top1
    return "-" if value is None else f"{value:.2f}"


def text(comparison: Comparison) -> str:
    """The table in plain text, with its notes."""
    cells = [HEADER, *lines(comparison.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADER))]
    table = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*table, "", *notes(comparison), ""])


def notes(comparison: Comparison) -> list[str]:
    """What the columns are, and how far the ranks agree with the paper's."""
    made = comparison.fingerprint
    measured = (
        f"ms here: measured, {made.runtime} {made.runtime_version}, {made.precision}, batch {made.batch}, "
        f"{made.threads} thread(s), {comparison.clock} time, all networks interleaved; {made.device}"
    )
    counted = "params, MAdds: counted from the layers"
    top1 = "top-1: of this search's data (*), or ImageNet's as its source states; the two do not compare"
    if comparison.spearman is None:
        ranks = f"i7 ms: imported, {paper.DEVICE}; {comparison.shared} networks in common, too few to compare ranks"
    else:
        ranks = (
            f"i7 ms: imported, {paper.DEVICE}; Spearman with ms here {comparison.spearman:.3f} over "
            f"{comparison.shared} networks"
        )
    failed = [f"{row.name}: {row.failed}" for row in comparison.rows if row.failed]
    return [measured, counted, top1, ranks, *failed]


def to_csv(comparison: Comparison) -> str:
    """One line a network, every field."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in comparison.rows)
    return stream.getvalue()


def svg(comparison: Comparison) -> str:
    """Latency of each network with its interval, fastest first; this search's in another colour."""
    rows = [row for row in comparison.rows if row.ms is not None]
    scale = WIDE / max(row.high or 0.0 for row in rows)
    parts: list[Html] = [_label(0, 14, notes(comparison)[0], 11)]
    for i, row in enumerate(rows):
        parts += _bar(row, TOP + i * (BAR + GAP), scale)
    width, height = LEFT + WIDE + RIGHT, TOP + len(rows) * (BAR + GAP)
    label = "; ".join(f"{row.name} {row.ms:.4g} ms" for row in rows)
    picture = tag(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=width, role="img",
        aria_label=label,
    )  # fmt: skip
    return f"{picture}\n"


def _bar(row: Row, y: float, scale: float) -> list[Html]:
    ms, low, high = (value or 0.0 for value in (row.ms, row.low, row.high))
    middle, ours = y + BAR / 2, row.source == OURS
    name = f"{row.name} ({row.size} px)"
    return [
        tag("text", name, x=LEFT - 8, y=middle + 4, text_anchor="end", font_family=FONT, font_size=12),
        tag("rect", x=LEFT, y=y, width=round(ms * scale, 1), height=BAR, rx=2, fill=COLOURS[ours]),
        tag("line", x1=round(LEFT + low * scale, 1), x2=round(LEFT + high * scale, 1), y1=middle, y2=middle,
            stroke="black", stroke_width=2),
        _label(LEFT + high * scale + 8, middle + 4, f"{ms:.4g} ms", 12),
    ]  # fmt: skip


def _label(x: float, y: float, content: str, size: int) -> Html:
    return tag("text", content, x=round(x, 1), y=round(y, 1), font_family=FONT, font_size=size)
