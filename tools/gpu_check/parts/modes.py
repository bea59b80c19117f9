"""A few networks in every precision and mode: milliseconds, images a second, and how far the logits are from fp32's.

The quickest to load come first; compiling takes tens of seconds a network, so it ends when the time does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings
from tools.gpu_check.parts.common import compared, device, difference, logits, runtime

if TYPE_CHECKING:
    from hwnas import Network
    from profilers.base import Profiler

COLUMNS = ("network", "MMAdds", "precision", "mode", "ms", "low", "high", "images/s", "largest error", "load s")

COMPILING, COMPILING_SECONDS = ("compile", "aot"), 30.0
OTHER_LAYOUT = "-nchw"
ABOUT = (
    "largest error: of a logit from fp32 in the first mode, over the largest logit; the networks of one precision "
    "and mode are measured in turns, precisions and modes one after another"
)


def run(check: Check, found: Findings) -> None:
    """The part."""
    profiler, networks = runtime(check.runtime), compared(check)
    found.note(ABOUT)
    rows: list[list[Any]] = []
    expected: dict[str, Any] = {}
    took = dict.fromkeys(COMPILING, COMPILING_SECONDS)  # by level, for a network
    for precision, level, some in _cells(profiler, networks):
        if check.seconds < took.get(level, 0) * len(some):
            found.note(f"{precision} {level} of {len(some)}: no time was left")
            continue
        began = time.monotonic()
        try:
            rows += _cell(check, some, precision, level, expected)
        except Exception as error:
            found.note(f"{precision} {level}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        took[level] = (time.monotonic() - began) / len(some)
        found.grid("Precisions and modes", COLUMNS, rows)


def _cells(profiler: Profiler, networks: Sequence[Network]) -> Iterator[tuple[str, str, Sequence[Network]]]:
    """(precision, level, networks): what is compiled comes last, and one network of it first."""
    precisions, levels = profiler.supported_precisions(), profiler.levels or ("",)
    ends = precisions[:: max(len(precisions) - 1, 1)]  # the first and the last
    compiling = [level for level in levels if level in COMPILING]
    plain = [level for level in levels if level not in COMPILING and not level.endswith(OTHER_LAYOUT)]
    yield from ((precision, level, networks) for level in plain for precision in precisions)
    others = [level for level in levels if level.endswith(OTHER_LAYOUT)]
    yield from ((precision, level, networks) for level in others for precision in ends)
    yield from ((precision, level, networks[-1:]) for level in compiling for precision in ends)
    yield from ((p, level, [one]) for level in compiling for one in networks[:-1] for p in ends)


def _cell(
    check: Check, networks: Sequence[Network], precision: str, level: str, expected: dict[str, Any]
) -> list[list[Any]]:
    """A row a network."""
    own = device(check, precision=precision, optimization=level)
    found = own.measure(networks)
    rows = []
    for network, row in zip(found.networks, found.rows, strict=True):
        began = time.monotonic()
        with own.profiler.load(network.onnx(batch=check.batch), own.options) as session:
            loaded, answers = time.monotonic() - began, logits(session)
        error = difference(answers, expected.setdefault(network.id, answers))
        ms = row["latency_ms"]
        figures = [row.get("low"), row.get("high"), 1000 * check.batch / ms, error, loaded]
        rows.append([network.id, network.madds / 1e6, precision, level or "usual", ms, *figures])
    return rows
