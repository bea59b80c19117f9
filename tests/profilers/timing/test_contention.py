"""What a fixed piece of work shows of others on the same core."""

from __future__ import annotations

import pytest

from profilers.base import TimingPlan
from profilers.runtimes.fake import FakeClock
from profilers.timing.contention import OFTEN, Contention, remarks
from profilers.timing.loop import time_sessions
from tests.profilers.models import Scripted


def test_blocks_beside_other_work_are_counted():
    clock = FakeClock(contended=lambda seconds: int(seconds / 0.5) % 2 == 1)
    session = Scripted(clock, lambda n: 0.01)
    plan = TimingPlan(min_rounds=500, max_rounds=500)
    assert time_sessions({"a": session}, plan)["a"].contended_fraction == pytest.approx(0.5, abs=0.03)
    alone = Scripted(FakeClock(contended=lambda seconds: False), lambda n: 0.01)
    assert time_sessions({"a": alone}, plan)["a"].contended_fraction == 0


def test_nothing_looked_at_is_no_contention():
    assert Contention(FakeClock()).contended_fraction == 0


def test_only_what_is_frequent_is_spoken_of():
    assert remarks(OFTEN) == [] and "25%" in remarks(0.25)[0]
