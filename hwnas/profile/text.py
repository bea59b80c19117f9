"""Profiles as plain text that fits a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from hwnas.export.quantity import plain
from hwnas.profile.facts import F, Facts, Layer, Layers, Several
from profilers.printable import printable
from profilers.timing.percentiles import Percentile
from profilers.timing.ties import tied

SLOWEST = 15  # layers that are shown
WIDE = 44  # characters of a name
LONGEST = 240  # characters of a reason
NEAR = 0.005  # of 1, which is shown as 1.00
SIDE_BY_SIDE = ("engine", "ms", "low", "high", "p99", "x fastest")
Row = tuple[str, ...]


def text(profiles: Several[F]) -> str:
    """All of them: side by side, by operator, and the layers of the fastest."""
    if len(profiles) == 1 and not profiles.refused:
        return profile_text(profiles[0])
    first = profiles[0]
    parts = [
        f"{first.model}: {first.about}",
        inputs_line(first),
        "",
        *_table(SIDE_BY_SIDE, (_side(p, first) for p in profiles)),
    ]
    parts += [f"  not measured: {_cut(printable(str(refusal)))}" for refusal in profiles.refused]
    parts += [f"  {p.title}: {note}" for p in profiles for note in p.notes]
    return "\n".join([*parts, "", *_body(next((p for p in profiles if p.layers), first))])


def profile_text(profile: Facts) -> str:
    """One engine's."""
    m = profile.measured
    ends = f"95 % interval {m.low:.4g} to {m.high:.4g}"
    head = [
        f"{printable(profile.model)}: {printable(profile.about)}",
        inputs_line(profile),
        "",
        f"  {m.ms:.4g} ms ({ends})",
        f"  {speed_line(profile)}",
    ]
    notes = [f"  note: {note}" for note in profile.notes]
    return "\n".join([*head, *notes, "", *_body(profile)])


def inputs_line(profile: Facts) -> str:
    """What went in, and by how many threads it was computed."""
    made = profile.fingerprint
    shapes = ", ".join(f"{printable(name)}: {shape}" for name, shape in profile.inputs.items()) or "no inputs"
    threads = f"{made.threads} thread{'s' if made.threads > 1 else ''}"
    return f"{shapes}; {threads}, {profile.measured.state}; {made.device}"


def _side(profile: Facts, fastest: Facts) -> Row:
    """With "=" where it ties with the fastest."""
    m = profile.measured
    ratio = f"{m.ms / fastest.ms:.2f}{' =' * (profile is not fastest and tied(m, fastest.measured))}"
    return (
        profile.title,
        *(f"{x:.4g}" for x in (m.ms, m.low, m.high)),
        _bound(m.percentiles()["p99"], short=True),
        ratio,
    )


def speed_line(profile: Facts) -> str:
    """Percentiles of single runs, and samples a second."""
    found = ", ".join(f"{name} {_bound(bound)}" for name, bound in profile.measured.percentiles().items())
    return f"{found} ms of single runs; {plain(1e3 * profile.fingerprint.batch / profile.ms)} samples/s"


def _bound(found: Percentile, *, short: bool = False) -> str:
    """Too few runs are said."""
    if found.ms is not None:
        return f"{found.ms:.4g}"
    return "-" if short else f"unknown ({found.needed} runs needed, {found.runs} made)"


def _body(profile: Facts) -> Iterator[str]:
    made = profile.fingerprint
    yield f"{profile.title} ({made.runtime} {made.runtime_version.split('-')[0]})"
    if profile.layers:
        yield from _layers(profile.layers)


def _layers(found: Layers) -> Iterator[str]:
    slowest = sorted(found.layers, key=lambda layer: -layer.ms)
    rows = [_row(layer) for layer in slowest[:SLOWEST]]
    if rest := slowest[SLOWEST:]:
        rows.append((f"{len(rest)} more layers", "", *_time(sum(x.ms for x in rest), sum(x.share for x in rest))))
    rows.append(("unattributed", "", *_time(found.unattributed_ms, found.unattributed_share)))
    yield from _table(("slowest layers", "operators", "ms", "share"), rows, left=2)
    yield ""
    groups = [(op, str(count), *_time(ms, share)) for op, count, ms, share in found.by_operator()]
    yield from _table(("operator", "layers", "ms", "share"), groups)
    yield ""
    yield from (f"  {line}" for line in remarks(found))


def remarks(found: Layers) -> Iterator[str]:
    """How the layers were found, and how well they explain the whole."""
    slower = f"{max(found.tracing_slowdown, 0.0):.0%}".replace("%", " %")
    yield f"Layers are timed in traced runs, which take {slower} longer than untraced ones;"
    yield f"they add up to {found.sum_over_whole:.2f} of an untraced run{_rest(found.sum_over_whole)}."
    if not found.by_wall:
        yield "The machine is busy: runs are timed by CPU time, which layers cannot be; trust their shares only."
    left = found.nodes - found.timed
    if left:
        yield f"{found.timed} of {found.nodes} ONNX nodes run in these layers; computed at load, or left out: {left}."


def _rest(sum_over_whole: float) -> str:
    if abs(sum_over_whole - 1) < NEAR:
        return ""
    return ", and are shortened to it" if sum_over_whole > 1 else "; the rest passes between them"


def _row(layer: Layer) -> Row:
    return short(layer.name), layer.operators, *_time(layer.ms, layer.share)


def _time(ms: float, share: float) -> tuple[str, str]:
    return f"{ms:.3g}" if ms >= 0.0005 else "0", f"{share:.1%}".replace("%", " %")


def short(name: str) -> str:
    """A name's end, which tells more than its beginning."""
    name = printable(name)
    return name if len(name) <= WIDE else f"…{name[-WIDE + 1 :]}"


def _cut(line: str) -> str:
    """Runtimes may give pages as their reason."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _table(header: Row, rows: Iterable[Row], left: int = 1) -> Iterator[str]:
    """Lines: the first `left` columns to the left, numbers to the right."""
    cells: Sequence[Row] = [header, *rows]
    widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
    for row in cells:
        parts = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=False))]
        yield f"  {'  '.join(parts)}".rstrip()
