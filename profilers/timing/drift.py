"""Drift: the machine's slowdown from moment to moment, estimated from all blocks of one call of the timing loop.

    R  rounds      S  sessions
    times (R, S)  milliseconds of one run, NaN where rejected      order (R, S)  sessions in the order they ran
    log times = usual (S,) + log drift (R, S) + noise

On a shared machine the speed changes in steps within a second or two, when work of another tenant begins or ends. A
control model timed once per round samples that too slowly, but every block can serve as a control: the blocks just
before and after show the machine's speed, once the usual times of their models are known. Usual times and drift are
therefore estimated in turns (Tukey's median polish). A session's usual time is its median; the drift around a block is
a mean of the neighbouring blocks, weighted by distance and robust to steps (an M-estimate with Cauchy's weights). The
drift is 1 at the `FAST` quantile of all blocks relative to their models' usual times: contention only adds time, so
this is the time without it, however frequent it is.
Source: Tukey 1977, Exploratory Data Analysis, chapter 11; Holland and Welsch 1977 for the weights.
How the constants were chosen: docs/measurement.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEIGHBOURS = 6  # blocks on each side that show a block's drift
NEAREST = 2  # blocks on each side whose median starts the estimate: they show on which side of a step the block is
LENGTH = 2.0  # blocks of distance after which the weight is 1/e
PASSES = 3  # of the robust weighting
TURNS = 8  # of the polish
FAST = 0.05  # quantile of all blocks' relative times at which the drift is 1
PARTS = 4  # of a measurement, whose fast quantiles are compared for their standard error
_OFFSETS = np.array([k for k in range(-NEIGHBOURS, NEIGHBOURS + 1) if k])
_LEAST_SCALE = 1e-9


def drift_of_blocks(times: Floats, order: Ints) -> tuple[Floats, float]:
    """(R, S) the machine's slowdown around each block, 1 at its fastest and where no block was timed.

    The second value is the relative standard error of the fastest, which all sessions share.
    """
    log = np.log(times)
    row, column = np.arange(len(order)).repeat(order.shape[1]), order.ravel()
    known = np.isfinite(log[row, column])
    if not known.any():
        return np.ones(times.shape), 0.0
    seen, session = log[row, column][known], column[known]
    matrix = np.full(times.shape, np.nan)
    usual = _medians(log)
    drift = np.zeros(len(seen))
    for _ in range(TURNS):
        drift = _smoothed(seen - usual[session])
        matrix[row[known], session] = seen - drift
        usual = _medians(matrix)
    relative = seen - usual[session]
    drift -= np.quantile(relative, FAST)
    found = np.empty(times.shape)
    found[row, column] = np.exp(np.interp(np.arange(len(known)), np.flatnonzero(known), drift))
    return found, _error(relative)


def _error(relative: Floats) -> float:
    """Standard error of the fast quantile, from how much those of the parts of a measurement differ."""
    parts = [np.quantile(part, FAST) for part in np.array_split(relative, PARTS) if len(part) >= PARTS]
    return float(np.std(parts, ddof=1) / np.sqrt(len(parts))) if len(parts) == PARTS else 0.0


def _smoothed(residuals: Floats) -> Floats:
    """(n,) log drift of each block from its neighbours, without the block: its own noise is not the machine's."""
    if len(residuals) < 2:
        return np.zeros(len(residuals))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(residuals, NEIGHBOURS, constant_values=np.nan), 2 * NEIGHBOURS + 1
    )[:, _OFFSETS + NEIGHBOURS]
    near, known = np.exp(-np.abs(_OFFSETS) / LENGTH), np.isfinite(windows)
    drift = np.nanmedian(windows[:, np.abs(_OFFSETS) <= NEAREST], axis=1)
    scale = 1.4826 * float(np.median(np.abs(residuals - drift))) + _LEAST_SCALE
    others = np.where(known, windows, 0.0)
    for _ in range(PASSES):
        weight = near * known / (1 + ((others - drift[:, None]) / scale) ** 2)
        drift = (weight * others).sum(axis=1) / weight.sum(axis=1)
    return np.asarray(drift)


def _medians(matrix: Floats) -> Floats:
    """(S,) median of each column; 0 for one that was never timed."""
    known = np.isnan(matrix).sum(axis=0) < len(matrix)
    return np.asarray(np.nanmedian(np.where(known, matrix, 0.0), axis=0))
