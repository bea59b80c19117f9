"""A few networks in every precision and mode: milliseconds, images a second, and how far the logits are from fp32's.

The quickest to load come first; compiling takes tens of seconds a network, so it ends when the time does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings
from tools.gpu_check.parts.common import compared, difference, logits, runtime

if TYPE_CHECKING:
    from hwnas import Network
    from profilers.base import Options, Profiler, Session

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
    took = {True: COMPILING_SECONDS, False: 0.0}  # by whether it is compiled, for a network
    for precision, level, some in _cells(profiler, networks):
        if check.seconds < took[level in COMPILING] * len(some):
            found.note(f"{precision} {level} of {len(some)}: no time was left")
            continue
        began = time.monotonic()
        try:
            rows += _cell(check, some, precision, level, expected)
        except Exception as error:
            found.note(f"{precision} {level}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        took[level in COMPILING] = (time.monotonic() - began) / len(some)
        found.grid("Precisions and modes", COLUMNS, rows)


def _cells(profiler: Profiler, networks: Sequence[Network]) -> Iterator[tuple[str, str, Sequence[Network]]]:
    """(precision, level, networks): what is compiled comes last, beginning with the smallest."""
    precisions, levels = profiler.supported_precisions(), profiler.levels or ("",)
    ends = precisions[:: max(len(precisions) - 1, 1)]  # the first and the last
    compiling = [level for level in levels if level in COMPILING]
    plain = [level for level in levels if level not in COMPILING and not level.endswith(OTHER_LAYOUT)]
    yield from ((precision, level, networks) for level in plain for precision in precisions)
    others = [level for level in levels if level.endswith(OTHER_LAYOUT)]
    yield from ((precision, level, networks) for level in others for precision in ends)
    yield from ((precision, level, networks[:1]) for level in compiling for precision in ends)
    yield from ((p, level, [one]) for level in compiling for one in networks[1:] for p in ends)


def _cell(
    check: Check, networks: Sequence[Network], precision: str, level: str, expected: dict[str, Any]
) -> list[list[Any]]:
    """A row a network; each is loaded once, since loading may be compiling."""
    from profilers.base import Options
    from profilers.timing import plans
    from profilers.timing.measurement import measuring

    options = Options(precision=precision, batch=check.batch, optimization=level)
    with ExitStack() as stack, measuring(options) as timing:
        loaded = {network.id: _load(check, network, options, stack) for network in networks}
        answers = {name: logits(session) for name, (session, _) in loaded.items()}
        group = timing.time({name: session for name, (session, _) in loaded.items()}, plans.VERIFY)
    group.require(f"{precision} {level}")
    rows = []
    for network in networks:
        if (found := group.measured.get(network.id)) is not None:
            error = difference(answers[network.id], expected.setdefault(network.id, answers[network.id]))
            timed = [found.ms, found.low, found.high, 1000 * check.batch / found.ms]
            seconds = loaded[network.id][1]
            rows.append([network.id, network.madds / 1e6, precision, level or "usual", *timed, error, seconds])
    return rows


def _load(check: Check, network: Network, options: Options, stack: ExitStack) -> tuple[Session, float]:
    """The session, and the seconds that it took."""
    model, began = network.onnx(batch=check.batch), time.monotonic()
    return stack.enter_context(runtime(check.runtime).load(model, options)), time.monotonic() - began
