from __future__ import annotations

import math

import pytest

from profilers.base import SystemClock, TimingPlan
from profilers.fake import QUIET_PROBE_MS, FakeClock
from profilers.quiet import Quiet, remarks
from profilers.timing import time_sessions
from tests.profilers.models import Scripted

FIXED = TimingPlan(min_rounds=40, max_rounds=40)


def shared(period: float = 0.5) -> FakeClock:
    """A machine whose core is somebody else's too in every second period."""
    return FakeClock(neighbour=lambda seconds: int(seconds / period) % 2 == 1)


class Slowed(Scripted):
    """Sixteen percent slower where the core is shared."""

    def run(self) -> None:
        now = self.clock.wall()
        self.clock.advance(*[self.wall(self.runs) * (1.16 if self.clock.neighbour(now) else 1)] * 2)
        self.runs += 1


def timed(clock: FakeClock, plan: TimingPlan):
    return time_sessions({"a": Slowed(clock, lambda n: 10e-3)}, plan)["a"]


def test_blocks_are_timed_while_nobody_shares_the_core():
    clock = shared()
    patient = timed(clock, FIXED)
    assert patient.ms == pytest.approx(10) and patient.median == pytest.approx(10)
    assert timed(clock, TimingPlan(min_rounds=40, max_rounds=40, patience=0)).p90 == pytest.approx(11.6, rel=0.01)


def test_the_share_of_blocks_with_a_neighbour_is_told():
    impatient = TimingPlan(min_rounds=500, max_rounds=500, patience=0)
    assert timed(shared(), impatient).shared == pytest.approx(1 / 2.16, abs=0.02)  # half of the time, at slower blocks
    assert timed(FakeClock(neighbour=lambda seconds: False), impatient).shared == 0
    assert remarks(0.1) == [] and "at 43% of the blocks" in remarks(0.43)[0]


def test_patience_ends_where_the_core_is_never_quiet():
    clock = FakeClock(neighbour=lambda seconds: seconds > 0.4)
    samples = timed(clock, FIXED)
    ran = 1e-3 * (FIXED.warmup_runs * 10 + 2 * 40 * 11.6)
    assert samples.rounds == 40 and ran < clock.wall() <= 2.2 * ran


def test_what_other_calls_saw_counts_too():
    """The second call begins while the core is shared and knows it."""
    clock = FakeClock(neighbour=lambda seconds: 2.0 <= seconds < 4.0)
    first = timed(clock, TimingPlan(min_rounds=20, max_rounds=20))
    clock.advance(2.0 - clock.wall(), 0)
    assert timed(clock, TimingPlan(min_rounds=60, max_rounds=60, patience=5)).median == pytest.approx(first.median)


def test_each_clock_is_its_own_machine():
    slow, quick = FakeClock(neighbour=lambda seconds: True), FakeClock()
    for _ in range(3):
        Quiet(slow, 1.0).wait()
    quiet = Quiet(quick, 1.0)
    assert not quiet.seen and quiet.limit == math.inf
    quiet.wait()
    quiet.learn()
    assert QUIET_PROBE_MS < quiet.limit < 1.5 * QUIET_PROBE_MS


def test_a_quiet_core_is_not_waited_for():
    clock = FakeClock()
    time_sessions({"a": Scripted(clock, lambda n: 1e-3)}, TimingPlan(min_rounds=10, max_rounds=10, warmup_runs=2))
    assert clock.wall() == pytest.approx(1e-3 * (2 + 2 * 10))


def test_the_machines_own_probe_takes_time():
    assert 0 < min(SystemClock().probe() for _ in range(5)) < 50
