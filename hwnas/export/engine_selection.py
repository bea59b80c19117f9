"""`--engine auto`: every runtime and precision that works here, timed against each other; the fastest that is allowed.

The rule. With labelled images, a candidate may lose `Limits.drop` points of top-1 on them, against the reference (torch
in float32; for an ONNX file that file, unoptimised) on the same images (`hwnas.accuracy.wilson.drop`). Where the
interval of what it loses reaches over the limit, the images are too few to decide; a note says so, and what it loses on
these images decides.

Without labels accuracy cannot be measured. There the share of inputs whose class differs from the reference's stands in
for the points lost, where the network has classes. The inputs are calibration images that set no ranges, or else seeded
noise; since the classes of noise say little, outputs may then differ by `Limits.tolerance` at most, too, relative to
their largest value (of a network with random weights, which is exported for its latency alone, by anything). int8 takes
part only if images or arrays to calibrate it were given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hwnas.accuracy.wilson import Drop
from hwnas.export.build import Built, PrecisionVariants, Target, build
from hwnas.export.engines import ENGINES, PLAIN, engine_files
from hwnas.export.exportable import Exportable
from hwnas.export.judge import MAX_DROP as MAX_DROP
from hwnas.export.judge import TOLERANCE as TOLERANCE
from hwnas.export.judge import Judge, Limits
from hwnas.export.quantity import Parity, Quantity
from profilers.base import Options, Session, TimingPlan
from profilers.devices.faults import LinkLost
from profilers.devices.hosts import profilers_at
from profilers.errors import EngineUnavailable, HwnasError, MeasurementFailed
from profilers.progress import track
from profilers.timing import plans
from profilers.timing.measurement import MeasuredGroup, Measurement, Measuring, measuring
from profilers.timing.ties import tied

REFERENCES = ("eager", "compiled")
ELSEWHERE = Quantity(None, "ms", "not measured: torch is here, and the engines are on another device")


@dataclass
class Candidate:
    """A runtime in a precision, and all that was found out about it; `refused` says why it cannot be chosen.

    `accuracy_drop`: points of top-1 lost on the validation split, or the share of changed classes (%), see the module's
    text; `drop` is the former with its interval.
    """

    target: Target
    refused: str = ""
    built: Built | None = None
    measured: Measurement | None = None
    top1: float | None = None
    accuracy_drop: float | None = None
    parity: Parity | None = None
    size: int = 0
    drop: Drop | None = None

    @property
    def ms(self) -> float:
        """Measured latency, infinite where there is none."""
        return self.measured.ms if self.measured else float("inf")

    def ties(self, other: Candidate) -> bool:
        """Whether the difference of their latencies lies within the intervals."""
        return self.measured is not None and other.measured is not None and tied(self.measured, other.measured)

    def to_json(self) -> dict[str, Any]:
        """For the datasheet and for programs."""
        return {
            "engine": self.target.engine.name,
            "precision": self.target.options.precision,
            "latency": None if self.measured is None else timed(self.measured, self.target.options).to_json(),
            "top1": self.top1,
            "accuracy_drop": self.accuracy_drop,
            "accuracy_drop_interval": self.drop.to_json() if self.drop else None,
            "parity": self.parity.to_json() if self.parity else None,
            "bytes": self.size,
            "refused": self.refused,
            "weights": self.built.note if self.built else "",
        }


@dataclass(frozen=True)
class EngineSelection:
    """All candidates, the one chosen and why, and torch beside it (a quantity without a value says why)."""

    candidates: tuple[Candidate, ...]
    chosen: Target
    why: str
    accuracy: str
    references: Mapping[str, Quantity] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For the datasheet."""
        return {
            "why": self.why,
            "accuracy": self.accuracy,
            "candidates": [c.to_json() | {"tie": self._ties(c)} for c in self.candidates],
            "references": {name: quantity.to_json() for name, quantity in self.references.items()},
        }

    def _ties(self, candidate: Candidate) -> bool:
        winner = next((c for c in self.candidates if c.target is self.chosen), None)
        return winner is not None and candidate is not winner and candidate.ties(winner)


def targets(options: Options, dynamic: bool = False, host: str = "") -> Iterator[Target]:
    """Every format with a runtime of its own, in every precision that the device computes in; of any batch, or all."""
    served = {profiler.name for profiler in profilers_at(host)} if host else None
    for format_ in ENGINES.values():
        if format_.name == PLAIN or (served is not None and format_.profiler not in served):
            continue
        engine = format_.at(host)
        profiler = engine.running
        if profiler.status().available and not (dynamic and engine.one_batch):
            for precision in profiler.supported_precisions():
                asked = replace(options, precision=precision, optimization="")
                yield Target(engine, engine.options(asked), dynamic=dynamic)


def select_engine(
    variants: PrecisionVariants,
    options: Options,
    folder: Path,
    limits: Limits | None = None,
    references: Sequence[str] = ("eager",),
    plan: TimingPlan = plans.ENGINE,
    bench: Measuring | None = None,
    dynamic: bool = False,
    host: str = "",
    also: Collection[str] = (),
) -> EngineSelection:
    """Build, check and time all candidates, and choose.

    Args:
        variants: the network's, its int8 made with the tolerance `limits.drop`.
        options: batch and threads; the precision is not looked at.
        folder: where engines are built; nothing in it is needed afterwards.
        limits: see the module's text.
        references: "eager", "compiled" or both: torch timed in the same run, where the network is one of torch.
        plan: of the timing.
        bench: the measurement that this is part of; one of its own by default.
        dynamic: only engines of any batch.
        host: the device; torch, which is here, is not timed beside engines elsewhere.
        also: engines that are tried although compiling them takes minutes; others of that kind are left out, which
            their rows say.

    Raises:
        BadInput: a negative limit.
        EngineUnavailable: no runtime works here. MeasurementFailed: none could be timed within the limits.
    """
    limits = limits or Limits()
    found = [Candidate(target, left_out(target, also)) for target in targets(options, dynamic, host)]
    if not found:
        where = f"on {host}" if host else "here"
        raise EngineUnavailable(f"no runtime works {where}", remedy="hwnas engines says what is missing")
    with ExitStack() as stack:
        bench = bench or stack.enter_context(measuring(options))
        judge = Judge(variants.item, variants.path, limits, options.batch)
        with track(len(found), "building and checking candidates") as bar:
            for candidate in found:
                _try(candidate, variants, folder, judge, stack)
                bar.advance()
        beside = references if variants.item.has_torch else ()
        torch = {name: ELSEWHERE if host else _reference(variants.item, options, name) for name in beside}
        figures = _time(found, torch, options, plan, bench)
    winner = choose(found)
    return EngineSelection(
        tuple(found), winner.target, why(found, winner, limits.drop, judge.rule), judge.words, figures
    )


def left_out(target: Target, also: Collection[str]) -> str:
    """Why a candidate is not even built, or ""."""
    name = target.engine.name
    return f"left out: compiling it takes minutes (--also {name})" if target.engine.slow and name not in also else ""


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The fastest that is not refused; MeasurementFailed if all are (with the first reason)."""
    allowed = [c for c in candidates if not c.refused]
    if not allowed:
        reasons = "; ".join(f"{c.target.name}: {c.refused}" for c in candidates)
        raise MeasurementFailed(f"no engine can be chosen: {reasons}", remedy="--max-accuracy-drop with more points")
    return min(allowed, key=lambda c: c.ms)


def why(candidates: Sequence[Candidate], winner: Candidate, max_drop: float, rule: str = "") -> str:
    """The choice in one sentence; `rule` is what the allowed ones do."""
    allowed = sorted((c for c in candidates if not c.refused), key=lambda c: c.ms)
    text = (
        f"{winner.target.name}, the fastest of {len(allowed)} that {rule or f'lose no more than {max_drop:g} points'}"
    )
    if len(allowed) > 1:
        text += (
            f": {winner.ms:.4g} ms against {allowed[1].ms:.4g} of {allowed[1].target.name}{_ties(winner, allowed[1:])}"
        )
    if winner.drop:
        text += f"; it loses {winner.drop}{undecided(winner, max_drop)}"
    faster = [c for c in candidates if c.refused and c.ms < winner.ms]
    return text + "".join(f"; {c.target.name}, {c.ms:.4g} ms, was refused: {c.refused}" for c in faster)


def _ties(winner: Candidate, others: Sequence[Candidate]) -> str:
    """A note of those that measuring does not tell from the chosen one."""
    equal = [other.target.name for other in others if other.ties(winner)]
    return f" (a tie with {', '.join(equal)}: their intervals overlap)" if equal else ""


def undecided(candidate: Candidate, max_drop: float) -> str:
    """A note that the images are too few to decide whether a candidate loses too much, or ""."""
    found = candidate.drop
    if found is None or found.decides(max_drop):
        return ""
    return f"; {found.images} images are too few to decide on {max_drop:g} points"


def timed(found: Measurement, options: Options) -> Quantity:
    """A latency as a quantity."""
    how = f"measured: {found.state}, batch {options.batch}, {options.threads} thread(s), {found.clock} time"
    return Quantity(found.ms, "ms", how, found.low, found.high)


def _try(candidate: Candidate, variants: PrecisionVariants, folder: Path, judge: Judge, stack: ExitStack) -> None:
    """Build and judge one, unless it is left out; what goes wrong is why it is refused, not an error."""
    if candidate.refused:
        return
    if candidate.target.options.precision == "int8" and variants.lacking:
        candidate.refused = variants.lacking
        return
    place = folder / candidate.target.name.replace(" ", "-")
    try:
        candidate.built = build(variants, candidate.target, place)
        if candidate.built.session is None:
            raise EngineUnavailable(candidate.built.missing)
        session = stack.enter_context(candidate.built.session)
        names = engine_files(candidate.target.engine, candidate.built.files)
        candidate.size = sum((place / name).stat().st_size for name in names)
        candidate.parity, candidate.top1, candidate.accuracy_drop, candidate.drop = judge.judge(session)
    except LinkLost:
        raise
    except HwnasError as error:
        candidate.refused = str(error)
        return
    candidate.refused = refusal(candidate, judge.limits.drop, judge.tolerance)


def refusal(candidate: Candidate, max_drop: float, tolerance: float | None = None) -> str:
    """Why a candidate loses or changes too much to be chosen, or ""."""
    lost, found = candidate.accuracy_drop, candidate.parity
    if lost is not None and lost > max_drop + 1e-9:
        return f"loses {candidate.drop or f'{lost:.2f} points'}, more than {max_drop:g}{undecided(candidate, max_drop)}"
    if tolerance is not None and found is not None and found.max_rel > tolerance:
        return f"differs by {100 * found.max_rel:.2g} % of an output, more than {100 * tolerance:g} %"
    return ""


def _reference(item: Exportable, options: Options, name: str) -> Session | Quantity:
    try:
        return item.torch_session(options, compiled=name == "compiled")
    except EngineUnavailable as error:
        return Quantity(None, "ms", f"not measured: {error}")


def _time(
    candidates: Sequence[Candidate],
    torch: Mapping[str, Session | Quantity],
    options: Options,
    plan: TimingPlan,
    bench: Measuring,
) -> dict[str, Quantity]:
    """All in one run; returns torch's figures."""
    sessions: dict[str, Session] = {
        c.target.name: c.built.session for c in candidates if c.parity is not None and c.built and c.built.session
    }
    sessions |= {f"torch {name}": session for name, session in torch.items() if isinstance(session, Session)}
    with track(len(sessions), "timing candidates") as bar:
        group = bench.time(sessions, plan, progress=bar)
    for candidate in candidates:
        candidate.measured = group.measured.get(candidate.target.name)
        if reason := group.failed.get(candidate.target.name):
            candidate.refused = candidate.refused or f"could not be timed: {reason}"
    return {name: _quantity(found, group, f"torch {name}", options) for name, found in torch.items()}


def _quantity(found: Session | Quantity, group: MeasuredGroup, name: str, options: Options) -> Quantity:
    if isinstance(found, Quantity):
        return found
    if (measured := group.measured.get(name)) is None:
        return Quantity(None, "ms", f"not measured: {group.failed.get(name, 'no run')}")
    return timed(measured, options)
