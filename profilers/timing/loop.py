"""The timing loop, from which every latency of this product comes.

    S  sessions, in the mapping's order          R  rounds
    wall, cpu  (R, S)  milliseconds of one run, NaN once the session has failed
    drift      (R, S)  the machine's slowdown around each block (`profilers.timing.drift`), 1 at its fastest

The timed region is `Session.run` and nothing else. In the state `steady` each block begins with untimed runs, until the
model's data is in the caches (`profilers.timing.settling`); in the state `interrupted` the caches are disturbed before
each timed run (`profilers.timing.caches`). The estimator is the plan's quantile, by default the median, of the accepted
blocks divided by their drift. Blocks are rejected by the plan's rule and that of `profilers.timing.conditions` alone,
both fixed beforehand.

If the machine is so busy that most blocks of a single-threaded model are disturbed, the model is timed by the process's
CPU time instead, and `Samples.clock` says so. The evidence is in docs/measurement.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from profilers.base import INTERRUPTED, MIN_BLOCKS, Failure, Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.timing.blocks import SHORTEST_MS, Block, once, time_block, turn, warm_up, without_gc
from profilers.timing.conditions import Watch
from profilers.timing.contention import Contention
from profilers.timing.drift import Ints, drift_of_blocks
from profilers.timing.estimator import Floats, accepted, summarise
from profilers.timing.settling import TURNS, WANTED, Settling

if TYPE_CHECKING:
    from profilers.progress import Progress


CHECK_EVERY, CHECK_GROWTH = 5, 1.2  # rounds, and their growth, between two checks: bootstrapping takes time
MOST_RUNS = 20  # in a block that `TimingPlan.block_ms` makes longer


def time_sessions(
    sessions: Mapping[str, Session],
    plan: TimingPlan,
    *,
    settling: Settling | None = None,
    most_runs: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> dict[str, Samples | Failure]:
    """Time all sessions against each other in randomised, interleaved rounds.

    Args:
        sessions: loaded models by name; they stay open.
        plan: state, rounds, warm-up, rejection and stopping rules, seed.
        settling: untimed runs as earlier calls of the same measurement learnt them; by default they are learnt here.
        most_runs: limits the timed runs in a block, by name: a traced session records each of them, at some cost.
        progress: advanced by one a session over the whole call.

    Returns:
        Samples, or the reason why there are none, in the order of `sessions`. A session that raises does not disturb
        the others. A model with fewer than three accepted blocks is a Failure.
    """
    if not sessions:
        return {}
    loop = _Loop(sessions, plan, settling or Settling(), most_runs or {}, progress)
    with without_gc():
        loop.warm_up()
        while loop.more():
            loop.round()
    return loop.results()


def learn_settling(sessions: Mapping[str, Session], plan: TimingPlan) -> Settling:
    """Learn from some models how many untimed runs each needs when models take turns here; nothing is timed.

    It is learnt once for all calls of a measurement, in which the machine and its background load stay the same.
    """
    loop = _Loop(sessions, plan, Settling(), {}, None)
    with without_gc():
        loop.warm_up(turns=-(-WANTED // max((len(sessions) + 1) // 2, 1)))
    return loop.settling


class _Loop:
    """State of one call of `time_sessions`."""

    def __init__(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        settling: Settling,
        most_runs: Mapping[str, int],
        progress: Progress | None,
    ) -> None:
        self.sessions, self.plan, self.settling, self.progress = sessions, plan, settling, progress
        self.most_runs = most_runs
        self.names = list(sessions)
        self.failures: dict[str, Failure] = {}
        self.blocks: dict[str, Block] = {}
        self.wall: list[Floats] = []
        self.cpu: list[Floats] = []
        self.order: list[Ints] = []
        self.rng = np.random.default_rng(plan.seed)
        self.clock = sessions[self.names[0]].clock
        self.contention = Contention(self.clock)
        self.watch = Watch([sessions[name] for name in self.names])
        self.runs: dict[str, list[float]] = {name: [] for name in self.names}
        self.step = len(sessions) / (plan.max_rounds + 1)  # warm-up counts as a round
        self.advanced = 0.0
        self.next_check = plan.min_rounds
        self.started = self.clock.wall()

    def warm_up(self, turns: int = TURNS) -> None:
        warm = {}
        for name, session in self.sessions.items():
            times = self.attempt(name, partial(warm_up, plan=self.plan), session)
            if times:
                warm[name] = min(times[-2:])
        if self.plan.untimed_runs is None and self.plan.state != INTERRUPTED and len(warm) > 1:
            self.learn(warm, turns)
        self.blocks = {name: self.block_of(name, ms) for name, ms in warm.items()}
        self.started = self.clock.wall()
        self.advance(self.step)

    def learn(self, warm: Mapping[str, float], turns: int) -> None:
        """Let models take turns; observe the smaller half, which are quick to run and pay relatively most."""
        small = set(sorted(warm, key=lambda name: warm[name])[: (len(warm) + 1) // 2])
        for _ in range(turns):
            if self.settling.known:
                return
            for i in self.rng.permutation(len(self.names)):
                name = self.names[i]
                if name in self.failures:
                    continue
                times = self.attempt(name, turn if name in small else once, self.sessions[name])
                if times and name in small:
                    self.settling.observe(times)

    def block_of(self, name: str, ms: float) -> Block:
        plan = self.plan
        runs = math.ceil(plan.block_ms / ms) if ms > 0 else MOST_RUNS
        timed = max(plan.runs_per_block, min(runs, MOST_RUNS))
        if plan.state == INTERRUPTED:
            untimed = 0
        elif plan.untimed_runs is not None:
            untimed = plan.untimed_runs
        else:
            untimed = self.settling.untimed(ms) if len(self.names) > 1 else 1
        return Block(untimed, min(timed, self.most_runs.get(name, timed)), ms >= SHORTEST_MS)

    def more(self) -> bool:
        rounds, plan = len(self.wall), self.plan
        if len(self.failures) == len(self.names) or rounds >= plan.max_rounds:
            return False
        spent = self.clock.wall() - self.started
        if rounds >= MIN_BLOCKS and plan.seconds is not None and spent >= plan.seconds:
            return False
        if rounds < self.next_check or spent < plan.least_seconds:
            return True
        self.next_check = max(rounds + CHECK_EVERY, math.ceil(CHECK_GROWTH * rounds))
        return not all(isinstance(s, Samples) and s.converged for s in self.living())

    def living(self) -> Iterator[Samples | Failure]:
        return (s for i, s in enumerate(self.each()) if self.names[i] not in self.failures)

    def round(self) -> None:
        order = self.rng.permutation(len(self.names))
        times = np.full((len(order), 2), np.nan)
        self.watch.begin_round()
        for i in order:
            if self.names[i] not in self.failures:
                self.watch.look(i)
                self.contention.look()
                times[i] = self.block(self.names[i])
                self.watch.close(i)
        self.wall.append(times[:, 0])
        self.cpu.append(times[:, 1])
        self.order.append(order)
        self.advance(self.step)

    def block(self, name: str) -> Sequence[float]:
        """Mean wall and CPU milliseconds of one block of a session; NaN where it fails."""
        act = partial(time_block, block=self.blocks[name], plan=self.plan)
        wall, cpu, *runs = self.attempt(name, act, self.sessions[name]) or (math.nan, math.nan)
        self.runs[name] += runs
        return wall, cpu

    def attempt(self, name: str, act: Callable[[Session], Sequence[float]], session: Session) -> Sequence[float]:
        """The result of `act`; if it raises, nothing, and the failure is recorded."""
        try:
            return act(session)
        except Exception as error:
            self.failures[name] = Failure(" ".join(f"{type(error).__name__}: {error}".split()))
            return ()

    def each(self) -> Iterator[Samples | Failure]:
        kept = [self.kept(i) for i in range(len(self.names))]
        blocks = np.stack([column for column, _ in kept], axis=1)
        drift, unsure = drift_of_blocks(blocks, np.array(self.order))
        for i, name in enumerate(self.names):
            if name in self.failures:
                yield self.failures[name]
                continue
            try:
                samples, block = summarise(blocks[:, i], drift[:, i], self.plan, unsure), self.blocks[name]
                yield replace(
                    samples,
                    clock=kept[i][1],
                    contended_fraction=self.contention.contended_fraction,
                    untimed=block.untimed,
                    timed=block.timed,
                    runs=np.array(self.runs[name]),
                    conditions=self.watch.conditions(i),
                )
            except MeasurementFailed as error:
                yield Failure(str(error))

    def kept(self, i: int) -> tuple[Floats, str]:
        """The accepted blocks of session i (R,) and their clock; all NaN if it failed."""
        wall, cpu = (np.array([times[i] for times in rows]) for rows in (self.wall, self.cpu))
        name = self.names[i]
        if name in self.failures:
            return np.full(len(wall), np.nan), "wall"
        times, clock = accepted(wall, cpu, self.sessions[name].threads, self.plan)
        return np.where(self.watch.rejected(i), np.nan, times), clock

    def results(self) -> dict[str, Samples | Failure]:
        self.advance(len(self.names) - self.advanced)
        self.watch.finish()
        if not self.wall:
            return dict(self.failures)
        return {self.names[i]: found for i, found in enumerate(self.each())}

    def advance(self, amount: float) -> None:
        self.advanced += amount
        if self.progress is not None:
            self.progress.advance(amount)
