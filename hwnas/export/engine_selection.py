"""`--engine auto`: every runtime and precision that works here, timed against each other; the fastest that is allowed.

The rule. With a data set, a candidate may lose `max_drop` points of top-1 on the validation split, against torch in
float32 on the same images (`hwnas.accuracy.wilson.drop`). Where the interval of what it loses reaches over `max_drop`,
the images are too few to decide; a note says so, and what it loses on these images decides. Without a data set
(random weights) accuracy cannot be measured: there the share of 64 seeded noise images whose class differs from torch's
stands in for the points lost, and int8 takes part only if images to calibrate it were given. A larger `max_drop` allows
more in both cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy.wilson import Drop, drop
from hwnas.export import parity
from hwnas.export.build import Built, PrecisionVariants, Target, build
from hwnas.export.engines import ENGINES, engine_files
from hwnas.export.item import ExportItem
from hwnas.export.quantity import Parity, Quantity
from hwnas.export.torch_session import TorchSession
from profilers.base import Options, Session, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, HwnasError, MeasurementFailed
from profilers.progress import track
from profilers.registry import get_profiler
from profilers.timing import plans
from profilers.timing.measurement import MeasuredGroup, Measurement, Measuring, measuring

MAX_DROP = 0.5
REFERENCES = ("eager", "compiled")
NOISE_IMAGES = 64
JUDGED = 2000  # validation images at most


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
            "candidates": [c.to_json() for c in self.candidates],
            "references": {name: quantity.to_json() for name, quantity in self.references.items()},
        }


def targets(options: Options) -> Iterator[Target]:
    """Every format with a runtime of its own, in every precision that this device computes in."""
    for engine in ENGINES.values():
        profiler = get_profiler(engine.profiler)
        if engine.name != "onnx" and profiler.status().available:
            for precision in profiler.supported_precisions():
                yield Target(engine, replace(options, precision=precision, optimization=""))


def select_engine(
    variants: PrecisionVariants,
    options: Options,
    folder: Path,
    max_drop: float = MAX_DROP,
    references: Sequence[str] = REFERENCES,
    plan: TimingPlan = plans.ENGINE,
    bench: Measuring | None = None,
) -> EngineSelection:
    """Build, check and time all candidates, and choose.

    Args:
        variants: the network's, its int8 made with the tolerance `max_drop`.
        options: batch and threads; the precision is not looked at.
        folder: where engines are built; nothing in it is needed afterwards.
        max_drop: see the module's text, 0 or more.
        references: "eager", "compiled" or both: torch timed in the same run.
        plan: of the timing.
        bench: the measurement that this is part of; one of its own by default.

    Raises:
        BadInput: a negative `max_drop`.
        EngineUnavailable: no runtime works here. MeasurementFailed: none could be timed within `max_drop`.
    """
    if not max_drop >= 0:
        raise BadInput(f"a largest accuracy drop of {max_drop}", "0 or more points")
    found = [Candidate(target) for target in targets(options)]
    if not found:
        raise EngineUnavailable("no runtime works here", remedy="hwnas engines says what is missing")
    with ExitStack() as stack:
        bench = bench or stack.enter_context(measuring(options))
        judge = _Judge(variants.item)
        with track(len(found), "building and checking candidates") as bar:
            for candidate in found:
                _try(candidate, variants, folder, judge, max_drop, stack)
                bar.advance()
        torch = {name: _reference(variants.item, options, name) for name in references}
        figures = _time(found, torch, options, plan, bench)
    winner = choose(found)
    return EngineSelection(tuple(found), winner.target, why(found, winner, max_drop), judge.words, figures)


def choose(candidates: Sequence[Candidate]) -> Candidate:
    """The fastest that is not refused; MeasurementFailed if all are (with the first reason)."""
    allowed = [c for c in candidates if not c.refused]
    if not allowed:
        reasons = "; ".join(f"{c.target.name}: {c.refused}" for c in candidates)
        raise MeasurementFailed(f"no engine can be chosen: {reasons}", remedy="--max-accuracy-drop with more points")
    return min(allowed, key=lambda c: c.ms)


def why(candidates: Sequence[Candidate], winner: Candidate, max_drop: float) -> str:
    """The choice in one sentence."""
    allowed = sorted((c for c in candidates if not c.refused), key=lambda c: c.ms)
    text = f"{winner.target.name}, the fastest of {len(allowed)} that lose no more than {max_drop:g} points"
    if len(allowed) > 1:
        second = allowed[1]
        text += f": {winner.ms:.4g} ms against {second.ms:.4g} of {second.target.name}"
        if winner.measured and second.measured and winner.measured.high >= second.measured.low:
            text += " (their intervals overlap)"
    if winner.drop:
        text += f"; it loses {winner.drop}{undecided(winner, max_drop)}"
    faster = [c for c in candidates if c.refused and c.ms < winner.ms]
    return text + "".join(f"; {c.target.name}, {c.ms:.4g} ms, was refused: {c.refused}" for c in faster)


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


class _Judge:
    """What a candidate's logits are compared with, computed once."""

    def __init__(self, item: ExportItem) -> None:
        self.item = item
        self.expected, self.labels = self.answers(partial(parity.torch_logits, item.network))
        if item.dataset is not None:
            self.words = f"measured: {len(self.expected)} images, {item.dataset.name} validation split"
        else:
            self.words = f"not measured: no data set; classes that differ from torch on {NOISE_IMAGES} noise images"

    def answers(self, answer: Callable[[parity.Floats], parity.Floats]) -> tuple[parity.Floats, NDArray[Any] | None]:
        """Logits and labels (None of noise)."""
        if self.item.dataset is not None:
            return parity.logits_over(self.item.dataset, "val", self.item.arch.r, answer, JUDGED)
        shape = (NOISE_IMAGES, *self.item.input_shape)
        noise = np.random.default_rng(parity.PARITY_SEED).standard_normal(shape, dtype=np.float32)
        return answer(noise), None

    def judge(self, candidate: Candidate, session: Session) -> None:
        """Fill in parity, top-1 and what is lost."""
        got, _ = self.answers(partial(parity.logits_of, session))
        candidate.parity = parity.compare_logits(got, self.expected)
        if self.labels is None:
            candidate.accuracy_drop = 100 * (1 - candidate.parity.top1_agreement)
        else:
            candidate.top1 = parity.top1(got, self.labels)
            candidate.drop = drop(self.expected.argmax(1) == self.labels, got.argmax(1) == self.labels)
            candidate.accuracy_drop = candidate.drop.points


def _try(
    candidate: Candidate, variants: PrecisionVariants, folder: Path, judge: _Judge, max_drop: float, stack: ExitStack
) -> None:
    """Build and judge one; what goes wrong is why it is refused, not an error."""
    if candidate.target.options.precision == "int8" and not variants.can_quantise:
        candidate.refused = "int8 needs images to set its ranges: --calibration"
        return
    place = folder / candidate.target.name.replace(" ", "-")
    try:
        candidate.built = build(variants, candidate.target, place)
        if candidate.built.session is None:
            raise EngineUnavailable(candidate.built.missing)
        session = stack.enter_context(candidate.built.session)
        names = engine_files(candidate.target.engine, candidate.built.files)
        candidate.size = sum((place / name).stat().st_size for name in names)
        judge.judge(candidate, session)
    except HwnasError as error:
        candidate.refused = str(error)
        return
    candidate.refused = refusal(candidate, max_drop)


def refusal(candidate: Candidate, max_drop: float) -> str:
    """Why a candidate loses too much to be chosen, or ""."""
    lost = candidate.accuracy_drop
    if lost is None or lost <= max_drop + 1e-9:
        return ""
    return f"loses {candidate.drop or f'{lost:.2f} points'}, more than {max_drop:g}{undecided(candidate, max_drop)}"


def _reference(item: ExportItem, options: Options, name: str) -> Session | Quantity:
    try:
        shape = (options.batch, *item.input_shape)
        return TorchSession(item.network, shape, options.threads, compiled=name == "compiled")
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
        c.target.name: c.built.session
        for c in candidates
        if c.accuracy_drop is not None and c.built and c.built.session
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
