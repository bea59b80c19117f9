"""The named timing plans: what is measured for which purpose, and how long.

All have the same estimator, so that a prediction and the measurement that it is compared with are the same quantity;
they differ in how much time a number is worth. `state` is set by whoever measures, from `Options.state`.
"""

from __future__ import annotations

from dataclasses import replace

from profilers.base import INTERRUPTED, TimingPlan

COVER = TimingPlan(min_rounds=5, max_rounds=6, runs_per_block=2, relative_interval=0.05, warmup_runs=2)
"""Traced covering networks of a table: their scale is found by whole networks, which say more."""

NETWORKS = TimingPlan(min_rounds=8, max_rounds=12, runs_per_block=2, relative_interval=0.03, warmup_runs=2)
"""Groups of whole networks in a table's build."""

LAYERS = TimingPlan(min_rounds=10, max_rounds=40, runs_per_block=5, relative_interval=0.03)
"""Layers alone, for the method `isolated`."""

VERIFY = replace(NETWORKS, max_rounds=20, relative_interval=0.015)
"""Whole networks in `lut verify`: better than a build has time for."""

COMPARE = TimingPlan(min_rounds=20, max_rounds=60, runs_per_block=2, warmup_runs=3, least_seconds=5, seconds=60)
"""Several networks or engines against each other: `compare`, `select` under a budget, `lut measure`."""

ENGINE = TimingPlan(min_rounds=30, max_rounds=2000, runs_per_block=2, least_seconds=5, seconds=12)
"""Engines: `export`, its choice among engines, `validate`. Contention lasts seconds, so a shorter look is a guess."""

THROUGHPUT = TimingPlan(min_rounds=8, max_rounds=24, warmup_runs=2, warmup_max_runs=4, seconds=20)
"""Batches of an engine, which differ by an order of magnitude: a bound on the seconds rather than on the rounds."""


def in_state(plan: TimingPlan, state: str) -> TimingPlan:
    """The plan for a state; in `interrupted` each run needs a disturbance of its own, so a block is one run.

    A plan that is for the state already is returned as it is.
    """
    if state == plan.state:
        return plan
    if state != INTERRUPTED:
        return replace(plan, state=state)
    seconds = None if plan.seconds is None else plan.seconds / 2
    return replace(
        plan, state=state, runs_per_block=1, block_ms=0, least_seconds=plan.least_seconds / 2, seconds=seconds
    )


def shorter(plan: TimingPlan, rounds: int) -> TimingPlan:
    """The plan with so many rounds at most, whatever else it asks for."""
    if rounds >= plan.max_rounds:
        return plan
    return replace(plan, min_rounds=min(plan.min_rounds, rounds), max_rounds=rounds, least_seconds=0)
