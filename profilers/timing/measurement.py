"""Where anything is measured: threads pinned, libraries limited, control models beside what is timed, one timing loop.

    with measuring(options) as bench:
        sessions = {arch.id: profiler.load(...)}   # inside, so that the runtime's threads are pinned too
        group = bench.time(sessions, plans.ENGINE)
    group.measured[arch.id].ms                     # of a Measurement; group.failed has the reason where there is none

Models are loaded as any process loads them; their place in memory is left to the user's machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from profilers.base import INTERRUPTED, MIN_BLOCKS, Failure, Options, Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.progress import Progress
from profilers.timing.conditions import Conditions, merged
from profilers.timing.control_drift import drifts
from profilers.timing.core_groups import ONE_GROUP
from profilers.timing.here import HERE
from profilers.timing.percentiles import Percentile, percentiles
from profilers.timing.place import Cores, Place
from profilers.timing.plans import in_state
from profilers.timing.settling import Settling

CONTROL = "control"
Load = Callable[[], Session]
T = TypeVar("T")


@dataclass(frozen=True)
class Measurement:
    """A network as it was measured: the one result that tables, searches, datasheets and reports are made of.

    `ms` is what `estimator` says, in the state of the caches `state`, by the clock "wall" or "cpu"; `low` to `high` is
    its 95 % interval, both equal to `ms` where none is known (tables of earlier versions, networks timed traced only).
    `contended_fraction` is the share of blocks, of all that was timed together, at which other work was seen on the
    same core; `converged` whether the interval became as narrow as the plan wants. `blocks` are milliseconds of a run
    with the machine's drift divided out, None where rejected; `samples` are the raw ones, where measured just now.
    """

    id: str
    ms: float
    low: float
    high: float
    state: str = ""
    estimator: str = ""
    clock: str = "wall"
    contended_fraction: float = 0.0
    converged: bool = field(default=False, compare=False)  # not stored
    blocks: tuple[float | None, ...] = field(default=(), repr=False)
    samples: Samples | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, name: str, samples: Samples) -> Measurement:
        """The measurement that a session's samples give."""
        corrected = (samples.blocks / samples.drift).tolist()
        return cls(
            name,
            samples.ms,
            samples.low,
            samples.high,
            samples.state,
            samples.estimator,
            samples.clock,
            samples.contended_fraction,
            samples.converged,
            tuple(None if math.isnan(ms) else ms for ms in corrected),
            samples,
        )

    def divided(self, by: float) -> Measurement:
        """The same at another speed of the machine: `ms` and its interval divided, the blocks as they ran."""
        return replace(self, ms=self.ms / by, low=self.low / by, high=self.high / by)

    @property
    def rejected(self) -> int:
        """How many of the blocks were disturbed."""
        return self.blocks.count(None)

    def quantile(self, share: float) -> float:
        """Of the accepted blocks, ms."""
        return float(np.quantile([ms for ms in self.blocks if ms is not None], share))

    @property
    def conditions(self) -> Conditions:
        """What the device's sensors said, where it was measured just now."""
        return Conditions() if self.samples is None else self.samples.conditions

    def percentiles(self) -> dict[str, Percentile]:
        """p90 and p99 of single runs as they were, where it was measured just now (`profilers.timing.percentiles`)."""
        return percentiles(() if self.samples is None else self.samples.runs)

    def halves(self) -> tuple[float, float]:
        """The medians of the even and the odd blocks; NaN where fewer than `MIN_BLOCKS` were accepted."""
        good = [[ms for ms in half if ms is not None] for half in (self.blocks[::2], self.blocks[1::2])]
        even, odd = (float(np.median(half)) if len(half) >= MIN_BLOCKS else math.nan for half in good)
        return even, odd


@dataclass(frozen=True)
class MeasuredGroup:
    """What was timed together in one call: by name a measurement or the reason why there is none.

    `controls_ms` are the control models' milliseconds, 0 for one that was not timed; `background_load` the mean cores
    that other processes used; `cpu_clock_fraction` the share of models for which that was too much for wall time;
    `blocks` and `rejected` are counted over `measured`.
    """

    measured: dict[str, Measurement]
    failed: dict[str, str]
    controls_ms: list[float] = field(default_factory=list)
    background_load: float = 0.0
    cpu_clock_fraction: float = 0.0
    contended_fraction: float = 0.0

    @cached_property
    def blocks(self) -> int:
        """Of all measurements, rejected ones included."""
        return sum(len(m.blocks) for m in self.measured.values())

    @cached_property
    def rejected(self) -> int:
        """Blocks that were disturbed."""
        return sum(m.rejected for m in self.measured.values())

    @cached_property
    def conditions(self) -> Conditions:
        """What the device's sensors said around all of them."""
        return merged([m.conditions for m in self.measured.values()])

    def require(self, what: str) -> None:
        """Raises MeasurementFailed where no more could be timed than failed; names the first reason."""
        if self.failed and len(self.measured) <= len(self.failed):
            name, reason = next(iter(self.failed.items()))
            count = len(self.failed)
            raise MeasurementFailed(f"{what}: {count} models could not be timed ({name}: {reason})")

    def require_all(self, what: str) -> None:
        """Raises MeasurementFailed where anything could not be timed; names the first reason."""
        for name, reason in self.failed.items():
            raise MeasurementFailed(f"{what} could not be timed ({name}: {reason})")


def at_one_speed(groups: Sequence[MeasuredGroup], reference: Sequence[float] | None = None) -> list[MeasuredGroup]:
    """The groups with the machine's drift between them divided out, as their control models show it.

    Args:
        groups: timed one after the other, with the same control models.
        reference: the controls' milliseconds at the speed wanted; by default that of the quick groups.
    """
    factors = drifts([group.controls_ms for group in groups], reference).tolist()
    return [
        replace(group, measured={name: m.divided(by) for name, m in group.measured.items()})
        for group, by in zip(groups, factors, strict=True)
    ]


@dataclass
class Measuring:
    """One measurement on one machine, of one or more calls of `time`; opened by `measuring`.

    `cores` are those it is pinned to; `controls` the control models, the same in every call; `core_groups` the cores
    that load models side by side; `place` the machine.
    """

    options: Options
    cores: tuple[int, ...]
    controls: tuple[Load, ...] = ()
    core_groups: tuple[Cores, ...] = ONE_GROUP
    settling: Settling = field(default_factory=Settling)
    place: Place = HERE

    def learn(self, sessions: Mapping[str, Session], plan: TimingPlan) -> None:
        """Learn once how many untimed runs models take; without, each call of `time` learns it of its own sessions."""
        if self.options.state != INTERRUPTED:
            self.settling = self.place.learn(sessions, plan)

    @contextmanager
    def loaded(
        self, loads: Mapping[str, Load], seed: int = 0, *, controls: int | None = None
    ) -> Iterator[dict[str, Session]]:
        """Sessions in the order of `loads`, then the control models (all, or the first so many), open inside.

        They are loaded in random order, the controls spread among the others: what is loaded early may lie elsewhere in
        memory than what is loaded late.
        """
        rng = np.random.default_rng([seed, len(loads)])
        fixed = dict(list(zip(self._control_names, self.controls, strict=True))[:controls])
        every = {**loads, **fixed}
        with ExitStack() as stack:
            order = spread(*(rng.permutation(list(some)).tolist() for some in (loads, fixed) if some))
            opened = self.place.load({name: every[name] for name in order}, self.core_groups)
            for session in opened.values():
                stack.enter_context(session)
            yield {name: opened[name] for name in every}

    def time(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        *,
        state: str | None = None,
        most_runs: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> MeasuredGroup:
        """Time sessions against each other, in the options' state or the one given.

        Args:
            sessions: by network's id; those that `loaded` opened as controls are told apart by their names.
            plan: as named in `profilers.timing.plans`; it is fitted to the state here.
            state: of the caches.
            most_runs: at most so many timed runs a block, by name: a traced session records each of them.
            progress: advanced by one a session.
        """
        settling = self.settling if self.settling.known else None
        plan = in_state(plan, state or self.options.state)
        timed = self.place.time(sessions, plan, settling=settling, most_runs=most_runs, progress=progress)
        return self._group(timed.found, timed.background_load)

    def _group(self, found: Mapping[str, Samples | Failure], background_load: float) -> MeasuredGroup:
        measured = {name: Measurement.of(name, s) for name, s in found.items() if isinstance(s, Samples)}
        failed = {name: f.reason for name, f in found.items() if isinstance(f, Failure)}
        by_cpu = [m.clock == "cpu" for m in measured.values()]
        contended = max((m.contended_fraction for m in measured.values()), default=0.0)  # the same for all of a call
        controls = [measured.pop(name).ms if name in measured else 0.0 for name in self._control_names]
        busy = float(np.mean(by_cpu)) if by_cpu else 0.0
        return MeasuredGroup(measured, failed, controls, background_load, busy, contended)

    @property
    def _control_names(self) -> list[str]:
        return [f"{CONTROL}-{i}" for i in range(len(self.controls))]


@contextmanager
def measuring(
    options: Options,
    controls: Sequence[Load] = (),
    core_groups: tuple[Cores, ...] = ONE_GROUP,
    place: Place | None = None,
) -> Iterator[Measuring]:
    """Pin what is loaded and timed inside, and limit the libraries' threads; all is restored afterwards.

    `place` is the runtime's (`Profiler.place`), by default this machine.

    Raises:
        BadInput: more threads than cores are allowed.
    """
    place = place or HERE
    with place.pinned(options.threads) as cores:
        yield Measuring(options, cores, tuple(controls), core_groups, place=place)


def spread(*kinds: Sequence[T], at: float = 0.5) -> list[T]:
    """All of them, each kind evenly over the whole, in its order; `at` 1 has the last of each at the end."""
    places = [((i + at) / len(kind), item) for kind in kinds for i, item in enumerate(kind)]
    return [item for _, item in sorted(places, key=lambda place: place[0])]
