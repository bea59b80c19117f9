from __future__ import annotations

import pytest

from profilers.timing import plans


@pytest.mark.parametrize("state", ["steady", "interrupted"])
def test_a_plan_is_for_a_state_once(state):
    once = plans.in_state(plans.ENGINE, state)
    assert once.state == state and plans.in_state(once, state) == once


def test_an_interrupted_block_is_one_run_and_takes_half_as_long():
    plan = plans.in_state(plans.ENGINE, "interrupted")
    assert (plan.runs_per_block, plan.block_ms) == (1, 0)
    assert (plan.least_seconds, plan.seconds) == (plans.ENGINE.least_seconds / 2, plans.ENGINE.seconds / 2)


@pytest.mark.parametrize("rounds", [3, 20, 5000])
def test_a_shorter_plan_has_at_most_so_many_rounds(rounds):
    plan = plans.shorter(plans.ENGINE, rounds)
    assert plan.max_rounds == min(rounds, plans.ENGINE.max_rounds) and plan.min_rounds <= plan.max_rounds
