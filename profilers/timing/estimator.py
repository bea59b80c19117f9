"""From the raw blocks of one model to an estimate: which blocks count, by which clock, and how sure the estimate is.

wall, cpu  (R,)  milliseconds of one run in each round, NaN once the session has failed
drift      (R,)  the machine's slowdown around each block, 1 in its quick moments
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from profilers.base import MIN_BLOCKS, Samples, TimingPlan
from profilers.errors import MeasurementFailed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLOCK_SLACK_MS = 0.01  # what reading two clocks may differ by; matters for runs of microseconds only
UNDISTURBED_SHARE = 0.5  # of a single-threaded model's blocks; below it the machine is busy
RESAMPLES = 1000
_NORMAL_95 = 1.96
NEIGHBOURS = 10  # parts that a series of blocks is resampled in: blocks near each other see the same machine


def summarise(blocks: Floats, drift: Floats, plan: TimingPlan, error: float = 0.0) -> Samples:
    """Raw blocks to an estimate with its interval; pure, so that parts of the rounds can be summarised afresh.

    Args:
        blocks: (rounds,) milliseconds of one run, NaN where rejected.
        drift: (rounds,) what to divide them by.
        plan: quantile, wanted interval, state and seed.
        error: relative standard error of the drift's reference.

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
    low, high = ms - math.hypot(ms - low, _NORMAL_95 * error * ms), ms + math.hypot(high - ms, _NORMAL_95 * error * ms)
    converged = (high - low) / 2 <= plan.relative_interval * ms
    return Samples(
        blocks=blocks, drift=drift, ms=float(ms), low=min(low, float(ms)), high=max(high, float(ms)),
        median=float(median), p90=float(p90), rejected=len(blocks) - len(good), converged=bool(converged),
        estimator=plan.estimator, state=plan.state,
    )  # fmt: skip


def bootstrap_interval(values: Floats, quantile: float, seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a quantile of `values` (n,), in order of time, all resamples at once.

    Runs of n / `NEIGHBOURS` successive values are drawn, in a circle, because the machine's state lasts longer than a
    block. Source: Politis and Romano 1992, the circular block bootstrap.
    """
    n = len(values)
    length = max(n // NEIGHBOURS, 1)
    starts = np.random.default_rng(seed).integers(0, n, (RESAMPLES, -(-n // length)))
    draws = ((starts[:, :, None] + np.arange(length)) % n).reshape(RESAMPLES, -1)[:, :n]
    estimates = np.quantile(values[draws], quantile, axis=1)
    low, high = np.quantile(estimates, [0.025, 0.975])
    return float(low), float(high)


def accepted(wall: Floats, cpu: Floats, threads: int, plan: TimingPlan) -> tuple[Floats, str]:
    """One session's blocks (R,), NaN where it was descheduled, and the clock."""
    good = undisturbed(wall, cpu, threads, plan)
    kept, clock = np.where(good, wall, np.nan), "wall"
    if not plan.cpu_time_when_busy:
        return kept, clock
    if threads == 1 and good.mean() < UNDISTURBED_SHARE:
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
