"""Which steps a build takes, decided from what is done so far; nothing is measured here."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.space import get_space
from lut.build.checkpoint import Checkpoint
from lut.build.records import MeasurementBatch
from lut.build.schedule import LEAST_GROUPS, BuildPlan, affordable, due, steps_of
from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import get_profiler
from profilers.timing.fingerprint import fingerprint

SPACE = get_space("tiny", [12, 20])
REQUIRED = len(SPACE.resolutions) + LEAST_GROUPS


class Bar:
    """Remembers what its total was."""

    def __init__(self, total):
        self.total = total

    def advance(self, amount=1):
        pass

    def note(self, text):
        pass

    def reduce_total(self, amount):
        self.total -= amount


class Memory(Checkpoint):
    """Keeps batches without a file."""

    def add(self, batch):
        self.batches.append(batch)


def done_by(step, seconds=1.0, scatter=0.0):
    layers = {"a": [1.0, 1.0 + scatter]} if step.is_cover else {}
    return MeasurementBatch(step.name, layers, [], [1.0], seconds, 10, 0)


def run(plan, **how):
    """The names of the steps taken, and the bar's total at each."""
    every = steps_of(SPACE, plan)
    done = Memory(Path(), {}, fingerprint(get_profiler("fake"), Options()))
    bar, names, totals = Bar(len(every)), [], []
    for step in due(every, plan, done, bar):
        names.append(step.name)
        totals.append(bar.total)
        done.add(done_by(step, **how))
    return names, totals


def test_bad_plans():
    with pytest.raises(BadInput):
        BuildPlan(passes=0)


def test_networks_come_among_the_first_covers_and_before_further_ones():
    names = [step.name.split(",")[0] for step in steps_of(SPACE, BuildPlan(passes=2, networks=72))]
    first, rest = names[:REQUIRED], names[REQUIRED:]
    assert first == ["networks 1", "pass 1", "networks 2", "pass 1", "networks 3"]
    assert rest == ["networks 4", "pass 2", "pass 2"]


def test_without_a_budget_all_is_done_until_layers_are_known():
    plan = BuildPlan(passes=3, networks=72, budget_seconds=None)
    assert run(plan, scatter=0.2)[0] == [step.name for step in steps_of(SPACE, plan)]
    known, _ = run(plan, scatter=0.0)
    assert known == [step.name for step in steps_of(SPACE, plan) if step.name[:6] not in ("pass 2", "pass 3")]


def test_a_late_build_still_does_what_is_required():
    names, _ = run(BuildPlan(passes=2, networks=144, budget_seconds=1e-6))
    assert names == [step.name for step in steps_of(SPACE, BuildPlan(passes=2, networks=144)) if step.required]
    assert len(names) == REQUIRED


def test_a_budget_ends_a_build_before_it_is_exceeded():
    plan = BuildPlan(passes=1, networks=144, budget_seconds=REQUIRED + 2.5)
    assert len(run(plan)[0]) == REQUIRED + 2


def test_the_bars_total_leaves_out_what_the_budget_will_not_allow():
    plan = BuildPlan(passes=3, networks=144, budget_seconds=1e-6)
    _, totals = run(plan)
    assert totals == [3 * len(SPACE.resolutions) + 8] + [REQUIRED] * (REQUIRED - 1)


def test_what_a_step_takes_is_known_from_those_of_its_kind():
    plan = BuildPlan(passes=1, networks=144, budget_seconds=100.0)
    steps = steps_of(SPACE, plan)
    slow_covers = [done_by(s, seconds=40.0 if s.is_cover else 1.0) for s in steps[:REQUIRED]]
    assert len(affordable(steps[REQUIRED:], plan, slow_covers)) == len(steps) - REQUIRED
