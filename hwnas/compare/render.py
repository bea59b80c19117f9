"""A comparison as text, CSV and a figure (bars with their intervals, as SVG)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from hwnas.accuracy.wilson import alike
from hwnas.compare import paper
from hwnas.compare.measure import OURS, Comparison, Row
from profilers.files import write_json, write_text
from profilers.markup import templates
from profilers.timing.measurement import Measurement

BAR, GAP, LEFT, WIDE, RIGHT, TOP = 18, 8, 190, 420, 110, 34  # px
COLOURS = {True: "#b4530a", False: "#5b6f8a"}  # of this search, known
HEADER = ("#", "network", "px", "params M", "MAdds M", "ms", "i7 ms", "top-1 %")


def lines(comparison: Comparison) -> list[tuple[str, ...]]:
    """Cells of the table under `HEADER`."""
    rows = comparison.rows
    best = max((row.top1 for row in rows if row.top1 is not None), default=0.0)
    return [
        (
            str(comparison.places[i] or "-"),
            f"{'* ' * (row.source == OURS)}{row.name}",
            str(row.size),
            f"{row.params / 1e6:.3g}",
            f"{row.madds / 1e6:.3g}",
            _ms(row),
            "-" if row.paper_cpu_ms is None else f"{row.paper_cpu_ms:g}",
            _top1(row, best),
        )
        for i, row in enumerate(rows)
    ]


def _ms(row: Row) -> str:
    """With the wider side of its interval."""
    if (m := row.measured) is None:
        return "failed"
    return f"{m.ms:.4g} ± {max(m.ms - m.low, m.high - m.ms):.2g}"


def _top1(row: Row, best: float) -> str:
    """On the user's images with its interval, and marked where it is not significantly worse than the best."""
    if row.top1 is None:
        return "-" if row.imagenet_top1 is None else f"{row.imagenet_top1:.2f}"
    ends = f" ({row.top1_low:.1f} to {row.top1_high:.1f})" if row.top1_low is not None else ""
    return f"{row.top1:.2f}{ends}{' ~' if alike(best, row.top1, row.images) else ''}"


def text(comparison: Comparison) -> str:
    """The table in plain text, with its notes."""
    cells = [HEADER, *lines(comparison)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADER))]
    table = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([*table, "", *notes(comparison), ""])


def notes(comparison: Comparison) -> list[str]:
    """What the columns are, and how far the ranks agree with the paper's."""
    made = comparison.fingerprint
    measured = (
        f"ms: measured, {made.runtime} {made.runtime_version}, {made.precision}, batch {made.batch}, "
        f"{made.threads} thread(s), {comparison.clock} time, all networks interleaved; {made.device}"
    )
    ties = "#: rank by ms; = is a tie, since intervals overlap; p90, p99 and images a second are in compare.csv"
    counted = "params: all parameters; MAdds: of convolutions and matrix products"
    top1 = "top-1: on this search's data (*; in brackets its 95 % interval; ~ not significantly worse than the best), "
    if any(row.top1 is not None and row.source != OURS for row in comparison.rows):
        top1 = "top-1: of networks with an interval on the images of the fine-tuning, all by the same recipe "
        top1 += "(95 %; ~ not significantly worse than the best), "
    top1 += "or on ImageNet as its source states; the two are not comparable"
    predicted = next((row.remark for row in comparison.rows if row.predicted_top1 is not None), None)
    if predicted is not None:
        top1 = "top-1: on ImageNet as its source states; this search's (*) are only predicted, and not comparable"
        top1 += f": it {predicted}" if predicted else ""
    if comparison.spearman is None:
        ranks = f"i7 ms: imported, {paper.DEVICE}; {comparison.shared} networks in common, too few to compare ranks"
    else:
        ranks = (
            f"i7 ms: imported, {paper.DEVICE}; Spearman with ms {comparison.spearman:.3f} over "
            f"{comparison.shared} networks"
        )
    failed = [f"{row.name}: {row.failed}" for row in comparison.rows if row.failed]
    return [measured, ties, *comparison.remarks, counted, top1, ranks, *failed]


def write(comparison: Comparison, folder: Path) -> None:
    """compare.json, .txt, .csv and .svg in a folder."""
    write_json(folder / "compare.json", comparison.to_json())
    for ending, content in (("txt", text(comparison)), ("csv", to_csv(comparison)), ("svg", svg(comparison))):
        write_text(folder / f"compare.{ending}", content)


def to_csv(comparison: Comparison) -> str:
    """One line a network, every field."""
    stream = io.StringIO()
    rows = comparison.to_json()["networks"]
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


@dataclass(frozen=True)
class Bar:
    """A network's latency: its names and the drawing's numbers, px."""

    name: str
    value: str
    y: float
    width: float
    low: float
    high: float
    colour: str


def svg(comparison: Comparison) -> str:
    """Latency of each network with its interval, fastest first; this search's in another colour."""
    rows = [(row, row.measured) for row in comparison.rows if row.measured is not None]
    scale = WIDE / max(m.high for _, m in rows)
    return (
        templates("hwnas.compare")
        .get_template("latencies.svg")
        .render(
            bars=[_bar(row, m, TOP + i * (BAR + GAP), scale) for i, (row, m) in enumerate(rows)],
            note=notes(comparison)[0],
            spoken="; ".join(f"{row.name} {m.ms:.4g} ms" for row, m in rows),
            left=LEFT,
            thickness=BAR,
            width=LEFT + WIDE + RIGHT,
            height=TOP + len(rows) * (BAR + GAP),
        )
    )


def _bar(row: Row, measured: Measurement, y: float, scale: float) -> Bar:
    ms, low, high = measured.ms, measured.low, measured.high
    colour = COLOURS[row.source == OURS]
    return Bar(f"{row.name} ({row.size} px)", f"{ms:.4g} ms", y, ms * scale, low * scale, high * scale, colour)
