"""From the raw blocks of one model to an estimate: which blocks count, by which clock, and how sure the estimate is.

wall, cpu  (R,)  milliseconds of one run in each round, NaN once the session has failed
drift      (R,)  the machine's slowdown around each block, 1 at its fastest
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from profilers.base import MIN_BLOCKS, Samples, TimingPlan
from profilers.errors import MeasurementFailed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CLOCK_SLACK_MS = 0.01  # by which two clocks may differ; it matters for runs of microseconds only
UNDISTURBED_SHARE = 0.5  # of a single-threaded model's blocks; with fewer the machine counts as busy
RESAMPLES = 1000
_NORMAL_95 = 1.96
RESAMPLED_PARTS = 10  # in which a series of blocks is drawn: the machine's state lasts longer than one block


def summarise(blocks: Floats, drift: Floats, plan: TimingPlan, error: float = 0.0) -> Samples:
    """The estimate and its interval from raw blocks; pure, so that parts of the rounds can be summarised too.

    Args:
        blocks: (rounds,) milliseconds of one run, NaN where rejected.
        drift: (rounds,) by which they are divided.
        plan: quantile, wanted interval, state and seed.
        error: relative standard error of the drift's reference point.

    Raises:
        MeasurementFailed: fewer than three blocks were accepted.
    """
    good = (blocks / drift)[np.isfinite(blocks)]
    if len(good) < MIN_BLOCKS:
        got = f"only {len(good)} of {len(blocks)} blocks were accepted, the others were disturbed"
        raise MeasurementFailed(got, f"{MIN_BLOCKS} or more", "measure again on a quieter machine or with more rounds")
    ms, median, p90 = (float(q) for q in np.quantile(good, [plan.quantile, 0.5, 0.9]))
    low, high = bootstrap_interval(good, plan.quantile, plan.seed)
    common = _NORMAL_95 * error * ms
    low, high = ms - math.hypot(ms - low, common), ms + math.hypot(high - ms, common)
    return Samples(
        blocks=blocks,
        drift=drift,
        ms=ms,
        low=min(low, ms),
        high=max(high, ms),
        median=median,
        p90=p90,
        rejected=len(blocks) - len(good),
        converged=bool((high - low) / 2 <= plan.relative_interval * ms),
        estimator=plan.estimator,
        state=plan.state,
    )


def bootstrap_interval(values: Floats, quantile: float, seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap interval of a quantile of `values` (n,), in order of time, all resamples at once.

    Source: Politis and Romano 1992, the circular block bootstrap, with blocks of n / `RESAMPLED_PARTS` values. By hand
    because scipy.stats.bootstrap draws single values, as if they were independent.
    """
    n = len(values)
    length = max(n // RESAMPLED_PARTS, 1)
    starts = np.random.default_rng(seed).integers(0, n, (RESAMPLES, -(-n // length)))
    draws = ((starts[:, :, None] + np.arange(length)) % n).reshape(RESAMPLES, -1)[:, :n]
    estimates = np.quantile(values[draws], quantile, axis=1)
    low, high = np.quantile(estimates, [0.025, 0.975])
    return float(low), float(high)


def accepted(wall: Floats, cpu: Floats, threads: int, plan: TimingPlan) -> tuple[Floats, str]:
    """One session's blocks (R,), NaN where rejected, and the clock that they are of."""
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
    """Which blocks (R,) were not descheduled: their wall time hardly exceeds the expected one.

    One thread computes all the time, so its wall time is its CPU time. Several threads wait for each other, in small
    layers more, so the session's own median ratio of wall to CPU time is expected. Without threads, all blocks pass.
    """
    if threads == 0:
        return np.isfinite(wall)
    usual = 1.0 if threads == 1 else max(float(np.nanmedian(wall / cpu)), 1 / threads)
    return np.isfinite(wall) & (wall <= plan.max_wall_over_cpu * usual * cpu + CLOCK_SLACK_MS)
