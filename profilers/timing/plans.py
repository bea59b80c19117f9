"""The named timing plans: for each purpose, how long to measure.

All have the same estimator, so that a prediction and the measurement that it is compared with are the same quantity.
`in_state` makes them plans for a state of the caches.
"""

from __future__ import annotations

from dataclasses import replace

from profilers.base import INTERRUPTED, TimingPlan

COVER = TimingPlan(min_rounds=5, max_rounds=6, runs_per_block=2, relative_interval=0.05, warmup_runs=2)
"""Traced covering networks of a table; the table's scale comes from whole networks, which get more time."""

NETWORKS = TimingPlan(min_rounds=8, max_rounds=12, runs_per_block=2, relative_interval=0.03, warmup_runs=2)
"""Groups of whole networks in a table's build."""

LAYERS = TimingPlan(min_rounds=10, max_rounds=40, runs_per_block=5, relative_interval=0.03)
"""Single layers, for the method `isolated`."""

VERIFY = replace(NETWORKS, max_rounds=20, relative_interval=0.015)
"""Whole networks in `lut verify`, measured more precisely than a build has time for."""

COMPARE = TimingPlan(min_rounds=20, max_rounds=60, runs_per_block=2, warmup_runs=3, least_seconds=5, seconds=60)
"""Several networks or engines against each other: `compare`, `select` under a budget, `lut measure`."""

ENGINE = TimingPlan(min_rounds=30, max_rounds=2000, runs_per_block=2, least_seconds=5, seconds=12)
"""Engines: `export`, its choice among engines, `validate`. Contention lasts seconds, so measuring lasts longer."""

THROUGHPUT = TimingPlan(min_rounds=8, max_rounds=24, warmup_runs=2, warmup_max_runs=4, seconds=20)
"""Batches of an engine, whose times differ by an order of magnitude: limited by seconds rather than rounds."""


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
    """The plan with at most `rounds` rounds and no least time."""
    if rounds >= plan.max_rounds:
        return plan
    return replace(plan, min_rounds=min(plan.min_rounds, rounds), max_rounds=rounds, least_seconds=0)
