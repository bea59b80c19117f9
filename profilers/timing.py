"""The one timing loop: every latency of this product comes from here (MEASUREMENT: protocol for a noisy machine).

    S  sessions, in the mapping's order, and the sentinel, last          R  rounds
    wall, cpu  (R, S)  milliseconds of one run, NaN once the session has failed
    drift      (R, S)  the machine's level around each block (`profilers.level`), 1 = none

The timed region is `Session.run` and nothing else. The estimator is the plan's quantile of the accepted,
drift-corrected blocks: a low one where sessions stand alone, since contention only adds time, and the median where a
sentinel shows the drift (`lut.bench.MEDIAN`). Rejection follows the plan's rule alone, which is fixed beforehand.

On a machine so busy that most blocks of a single-threaded model are disturbed, it is timed by the process's CPU time
instead, and `Samples.clock` says so. Three MobileNetV3s of 9 to 11 ms, ONNX Runtime, with one and two other
processes on the same core: wall time p25 13-48 ms and no block undisturbed, CPU time p25 within 2 % of the quiet one.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.base import MIN_BLOCKS, Failure, Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.level import Floats, Ints, levels
from profilers.progress import Progress
from profilers.quiet import Quiet

Bools = NDArray[np.bool_]

CLOCK_SLACK_MS = 0.01  # what reading two clocks may differ by; matters for runs of microseconds only
STILL_WARMING = 0.98  # the later half of the last warm-up runs was faster than this share of the earlier half
CHECK_EVERY = 5  # rounds between two looks at the intervals: bootstrapping all sessions is not free
RESAMPLES = 1000
MOST_RUNS = 20  # in a block that `TimingPlan.block_ms` makes longer
QUIET_SHARE = 0.5  # of a single-threaded model's blocks; below it the machine is busy


def time_sessions(
    sessions: Mapping[str, Session],
    plan: TimingPlan,
    *,
    sentinel: Session | None = None,
    sentinel_ms: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Samples | Failure]:
    """Time all sessions against each other in randomised, interleaved rounds.

    Args:
        sessions: loaded models by name; they stay open.
        plan: rounds, warm-up, rejection and stopping rules, seed.
        sentinel: a fixed model run at the start of every round; with one, the drift that it and the sessions show of
            the machine is divided out.
        sentinel_ms: the sentinel's time that counts as no drift (`Samples.sentinel_ms` of an earlier call); by default
            that in the quick moments of this call.
        progress: advanced by one a session over the whole call.

    Returns:
        Samples or the reason why there are none, in the order of `sessions`. A session that raises does not disturb
        the others. A model of which fewer than three blocks were accepted is a Failure.

    Raises:
        MeasurementFailed: the sentinel itself cannot run.
    """
    if not sessions:
        return {}
    loop = _Loop(sessions, plan, sentinel, sentinel_ms, progress)
    with _without_gc():
        loop.warm_up()
        while loop.more():
            loop.round()
    return loop.results()


def summarise(blocks: Floats, drift: Floats, plan: TimingPlan, sentinel_ms: float = float("nan")) -> Samples:
    """Raw blocks to an estimate with its interval; pure, so that parts of the rounds can be summarised afresh.

    Args:
        blocks: (rounds,) milliseconds of one run, NaN where rejected.
        drift: (rounds,) what to divide them by.
        plan: quantile, wanted interval and seed.
        sentinel_ms: handed through.

    Raises:
        MeasurementFailed: fewer than three blocks were accepted.
    """
    good = (blocks / drift)[np.isfinite(blocks)]
    if len(good) < MIN_BLOCKS:
        raise MeasurementFailed(
            f"only {len(good)} of {len(blocks)} blocks were accepted, the others were disturbed",
            f"{MIN_BLOCKS} or more", "measure again on a quieter machine or with more rounds",
        )  # fmt: skip
    ms, median, p90 = np.quantile(good, [plan.quantile, 0.5, 0.9])
    low, high = bootstrap_interval(good, plan.quantile, plan.seed)
    converged = (high - low) / 2 <= plan.relative_interval * ms
    return Samples(
        blocks=blocks, drift=drift, ms=float(ms), low=min(low, float(ms)), high=max(high, float(ms)),
        median=float(median), p90=float(p90), rejected=len(blocks) - len(good), converged=bool(converged),
        sentinel_ms=sentinel_ms,
    )  # fmt: skip


def bootstrap_interval(values: Floats, quantile: float, seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a quantile of `values` (n,), all resamples at once."""
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    estimates = np.quantile(values[draws], quantile, axis=1)
    low, high = np.quantile(estimates, [0.025, 0.975])
    return float(low), float(high)


def accepted(wall: Floats, cpu: Floats, threads: int, plan: TimingPlan) -> tuple[Floats, str]:
    """One session's blocks (R,), NaN where it was descheduled, and the clock."""
    quiet = undisturbed(wall, cpu, threads, plan)
    kept, clock = np.where(quiet, wall, np.nan), "wall"
    if not plan.cpu_time_when_busy:
        return kept, clock
    if threads == 1 and quiet.mean() < QUIET_SHARE:
        return cpu, "cpu"
    if np.isfinite(kept).sum() < min(MIN_BLOCKS, len(wall)):
        return (cpu, "cpu") if threads == 1 else (wall, "wall")
    return kept, clock


def undisturbed(wall: Floats, cpu: Floats, threads: int, plan: TimingPlan) -> Bools:
    """Which blocks (R,) ran without being descheduled: wall time no more than CPU time a thread, and a little.

    One thread computes all the time, so its CPU time is the yardstick. Several threads wait for each other, the more
    the smaller the layers, so there it is the session's own usual share of CPU time. Without threads, all pass.
    """
    if threads == 0:
        return np.isfinite(wall)
    usual = 1.0 if threads == 1 else max(float(np.nanmedian(wall / cpu)), 1 / threads)
    return np.isfinite(wall) & (wall <= plan.max_wall_over_cpu * usual * cpu + CLOCK_SLACK_MS)


class _Loop:
    """State of one call of `time_sessions`."""

    def __init__(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        sentinel: Session | None,
        sentinel_ms: float | None,
        progress: Progress | None,
    ) -> None:
        self.sessions, self.plan, self.progress = sessions, plan, progress
        self.sentinel, self.reference = sentinel, sentinel_ms
        self.names = list(sessions)
        self.all = [*sessions.values(), *([] if sentinel is None else [sentinel])]
        self.failures: dict[str, Failure] = {}
        self.wall: list[Floats] = []
        self.cpu: list[Floats] = []
        self.order: list[Ints] = []
        self.rng = np.random.default_rng(plan.seed)
        self.clock = sessions[self.names[0]].clock
        self.started = self.clock.wall()
        self.quiet = Quiet(self.clock, plan.patience)
        self.step = len(sessions) / (plan.max_rounds + 1)  # warm-up counts as a round
        self.advanced = 0.0

    def warm_up(self) -> None:
        if self.sentinel is not None:
            self.attempt(None, _warm_up, self.sentinel, self.plan)
        warm = []
        for name, session in self.sessions.items():
            self.quiet.wait()  # nothing is learnt yet: it only looks
            warm.append(min(self.attempt(name, _warm_up, session, self.plan)))
        self.plan = replace(self.plan, runs_per_block=_runs(self.plan, warm))
        self.advance(self.step)

    def more(self) -> bool:
        rounds, plan = len(self.wall), self.plan
        if len(self.failures) == len(self.names) or rounds >= plan.max_rounds:
            return False
        if rounds >= MIN_BLOCKS and plan.seconds is not None and self.clock.wall() - self.started >= plan.seconds:
            return False
        due = rounds >= plan.min_rounds and (rounds - plan.min_rounds) % CHECK_EVERY == 0
        return not (due and all(isinstance(s, Samples) and s.converged for s in self.living()))

    def living(self) -> Iterator[Samples | Failure]:
        return (s for name, s in zip(self.names, self.each(), strict=True) if name not in self.failures)

    def round(self) -> None:
        self.quiet.learn()
        order = self.rng.permutation(len(self.names))
        if self.sentinel is not None:
            order = np.concatenate([[len(self.names)], order])
        times = np.full((len(order), 2), np.nan)
        for i in order:
            name = self.names[i] if i < len(self.names) else None
            if name not in self.failures:
                self.quiet.wait()
                times[i] = self.attempt(name, _block, self.all[i], self.plan)
        self.wall.append(times[:, 0])
        self.cpu.append(times[:, 1])
        self.order.append(order)
        self.advance(self.step)

    def attempt(
        self, name: str | None, act: Callable[[Session, Any], tuple[float, float]], session: Session, argument: Any
    ) -> tuple[float, float]:
        try:
            return act(session, argument)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            if name is None:
                raise MeasurementFailed(f"the sentinel cannot run: {reason}") from error
            self.failures[name] = Failure(reason)
            return math.nan, math.nan

    def each(self) -> Iterator[Samples | Failure]:
        kept = [self.kept(i) for i in range(len(self.all))]
        blocks = np.stack([column for column, _ in kept], axis=1)
        drift, sentinel_ms = self.drift(blocks)
        for i, name in enumerate(self.names):
            if name in self.failures:
                yield self.failures[name]
                continue
            try:
                samples = summarise(blocks[:, i], drift[:, i], self.plan, sentinel_ms)
                yield replace(samples, clock=kept[i][1], shared=self.quiet.share)
            except MeasurementFailed as error:
                yield Failure(str(error))

    def kept(self, i: int) -> tuple[Floats, str]:
        """The accepted blocks of session i (R,), and their clock; none of one that failed."""
        wall, cpu = (np.array([times[i] for times in rows]) for rows in (self.wall, self.cpu))
        if i < len(self.names) and self.names[i] in self.failures:
            return np.full(len(wall), np.nan), "wall"
        return accepted(wall, cpu, self.all[i].threads, self.plan)

    def drift(self, blocks: Floats) -> tuple[Floats, float]:
        """(R, S) by block, and the sentinel's milliseconds where it is 1."""
        if self.sentinel is None:
            return np.ones(blocks.shape), math.nan
        level = levels(blocks, np.array(self.order))
        own = (blocks / level)[np.isfinite(blocks[:, -1]), -1]
        if not len(own):
            return level, math.nan
        now = float(np.quantile(own, self.plan.quantile))
        return level * (now / (self.reference or now)), self.reference or now

    def results(self) -> dict[str, Samples | Failure]:
        self.advance(len(self.names) - self.advanced)
        if not self.wall:
            return dict(self.failures)
        return dict(zip(self.names, self.each(), strict=True))

    def advance(self, amount: float) -> None:
        self.advanced += amount
        if self.progress is not None:
            self.progress.advance(amount)


def _block(session: Session, plan: TimingPlan) -> tuple[float, float]:
    """Mean wall and CPU milliseconds of a run, after untimed ones that bring back the session's own caches."""
    run, clock, runs = session.run, session.clock, min(plan.runs_per_block, session.most_runs or plan.runs_per_block)
    for _ in range(plan.untimed_runs):
        run()
    cpu, wall = clock.cpu(), clock.wall()
    for _ in range(runs):
        run()
    wall, cpu = clock.wall() - wall, clock.cpu() - cpu
    return 1e3 * wall / runs, 1e3 * cpu / runs


def _runs(plan: TimingPlan, warm: Sequence[float]) -> int:
    """Runs in a block, from the milliseconds of each model's last warm-up runs (NaN if it failed)."""
    usual = float(np.nanmedian(warm)) if np.isfinite(warm).any() else math.inf
    return max(plan.runs_per_block, min(MOST_RUNS, math.ceil(plan.block_ms / usual)) if usual > 0 else MOST_RUNS)


def _warm_up(session: Session, plan: TimingPlan) -> tuple[float, float]:
    """Run until the last `warmup_runs` runs no longer get faster; the last two runs' milliseconds."""
    times: list[float] = []
    while len(times) < plan.warmup_max_runs:
        start = session.clock.wall()
        session.run()
        times.append(1e3 * (session.clock.wall() - start))
        if len(times) >= plan.warmup_runs and _stationary(times[-plan.warmup_runs :]):
            break
    return times[-2:][0], times[-1]


def _stationary(times: Sequence[float]) -> bool:
    half = len(times) // 2
    return half == 0 or float(np.median(times[half:])) >= STILL_WARMING * float(np.median(times[:half]))


@contextmanager
def _without_gc() -> Iterator[None]:
    """Python's garbage collector stays out of the timed region."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
