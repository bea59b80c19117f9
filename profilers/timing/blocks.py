"""A block: untimed runs until a model's data is in the caches, then timed ones. And the runs that warm a model up.

Between two readings of the clock lies nothing but `Session.run`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import List, NamedTuple  # noqa: UP035  Python 3.8, in a bundle

import numpy as np

from profilers.session import Session
from profilers.timing.samples import INTERRUPTED, TimingPlan
from profilers.timing.settling import RUNS

STILL_WARMING = 0.98  # later to earlier half of the last warm-up runs; below this ratio, warm-up goes on
SHORTEST_MS = 0.05  # of runs that are timed one by one: reading the clock takes some 0.1 microseconds


class Block(NamedTuple):
    """A session's runs in each of its blocks: first the untimed, then the timed ones; whether one by one, too."""

    untimed: int
    timed: int
    singly: bool = True


class _Times(NamedTuple):
    marks: List[float]  # noqa: UP006  seconds: before the first run, after each, or only after the last
    cpu: float  # seconds of all

    @property
    def wall(self) -> float:
        return self.marks[-1] - self.marks[0]

    @property
    def each(self) -> list[float]:
        return [self.marks[i + 1] - self.marks[i] for i in range(len(self.marks) - 1)]


def time_block(session: Session, block: Block, plan: TimingPlan) -> list[float]:
    """Milliseconds: the mean wall and CPU time of a timed run, then the wall time of each if timed one by one."""
    for _ in range(block.untimed):
        session.run()
    if plan.state == INTERRUPTED:
        parts = [_timed(session, 1, interrupt=True) for _ in range(block.timed)]
    else:
        parts = [_timed(session, block.timed, singly=block.singly)]
    wall, cpu = sum(part.wall for part in parts), sum(part.cpu for part in parts)
    runs = [1e3 * seconds for part in parts for seconds in part.each] if block.singly else []
    return [1e3 * wall / block.timed, 1e3 * cpu / block.timed, *runs]


def turn(session: Session) -> list[float]:
    """Milliseconds of each of `RUNS` runs."""
    return [ms for _ in range(RUNS) for ms in once(session)]


def once(session: Session) -> list[float]:
    """Milliseconds of one run."""
    return [1e3 * _timed(session, 1).wall]


def warm_up(session: Session, plan: TimingPlan) -> list[float]:
    """Run until the last `warmup_runs` runs no longer get faster; milliseconds of each."""
    times: list[float] = []
    while len(times) < plan.warmup_max_runs:
        times += once(session)
        if len(times) >= plan.warmup_runs and _stationary(times[-plan.warmup_runs :]):
            break
    return times


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep Python's garbage collector out of the timed region."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _timed(session: Session, runs: int, *, singly: bool = False, interrupt: bool = False) -> _Times:
    """So many runs."""
    run, clock = session.run, session.clock
    if interrupt:
        session.interrupt()
    cpu, marks = clock.cpu(), [clock.wall()]
    for _ in range(runs):
        run()
        if singly:
            marks.append(clock.wall())
    if not singly:
        marks.append(clock.wall())
    return _Times(marks, clock.cpu() - cpu)


def _stationary(times: Sequence[float]) -> bool:
    half = len(times) // 2
    return half == 0 or float(np.median(times[half:])) >= STILL_WARMING * float(np.median(times[:half]))
