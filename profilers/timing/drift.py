"""The machine's speed from moment to moment, as all that is timed in one call sees it.

    R  rounds      S  sessions
    times (R, S)  milliseconds of one run, NaN where rejected      order (R, S)  sessions in the order they ran
    log times = usual (S,) + level (R, S) + noise

On a shared machine the speed steps up and down within a second or two, when a neighbour on the same host begins or
ends. A control model once a round samples that too slowly, but every block can serve as a control: whatever ran just
before and just after tells how the machine is, once it is known how long it usually takes. So usual times and level are
found by turns (Tukey's median polish): a session's usual time is its median, and the level around a block is a mean of
the blocks beside it, the nearer the heavier, in which those on the other side of a step weigh little (an M-estimate
with Cauchy's weights). No slowdown is what the quickest `QUICK` of all blocks show, relative to their models' usual
times: where others compute on the same core in moments, that is the time without them, however frequent they are.
Source: Tukey 1977, Exploratory Data Analysis, chapter 11; Holland and Welsch 1977 for the weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BESIDE = 6  # blocks on each side that tell a block's level
NEAREST = 2  # of which so many tell on which side of a step it is
LENGTH = 2.0  # blocks, after which one weighs 1/e
PASSES = 3  # of weighting: 2 are 1 % worse
TURNS = 8  # of polish: 4 and 16 give the same to .01 %
QUICK = 0.05  # quantile of all blocks' relative times that counts as no slowdown: contention only adds time
PARTS = 4  # of a measurement, whose quick moments are compared
_OFFSETS = np.array([k for k in range(-BESIDE, BESIDE + 1) if k])
_LEAST_SCALE = 1e-9


def drift_of_blocks(times: Floats, order: Ints) -> tuple[Floats, float]:
    """(R, S) how much slower than in its quick moments the machine was around each block; 1 where nothing tells.

    The second value is the relative standard error of what counts as quick, which all sessions share.
    """
    log = np.log(times)
    row, column = np.arange(len(order)).repeat(order.shape[1]), order.ravel()
    known = np.isfinite(log[row, column])
    if not known.any():
        return np.ones(times.shape), 0.0
    seen, session = log[row, column][known], column[known]
    matrix = np.full(times.shape, np.nan)
    usual = _medians(log)
    level = np.zeros(len(seen))
    for _ in range(TURNS):
        level = _beside(seen - usual[session])
        matrix[row[known], session] = seen - level
        usual = _medians(matrix)
    relative = seen - usual[session]
    level -= np.quantile(relative, QUICK)
    found = np.empty(times.shape)
    found[row, column] = np.exp(np.interp(np.arange(len(known)), np.flatnonzero(known), level))
    return found, _error(relative)


def _error(relative: Floats) -> float:
    """Standard error of the quick moments, from how much those of the parts of a measurement differ."""
    parts = [np.quantile(part, QUICK) for part in np.array_split(relative, PARTS) if len(part) >= PARTS]
    return float(np.std(parts, ddof=1) / np.sqrt(len(parts))) if len(parts) == PARTS else 0.0


def _beside(residuals: Floats) -> Floats:
    """(n,) level of each block by those beside it, itself left out: its own noise is not the machine's."""
    if len(residuals) < 2:
        return np.zeros(len(residuals))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(residuals, BESIDE, constant_values=np.nan), 2 * BESIDE + 1
    )[:, _OFFSETS + BESIDE]
    near, known = np.exp(-np.abs(_OFFSETS) / LENGTH), np.isfinite(windows)
    level = np.nanmedian(windows[:, np.abs(_OFFSETS) <= NEAREST], axis=1)
    scale = 1.4826 * float(np.median(np.abs(residuals - level))) + _LEAST_SCALE
    others = np.where(known, windows, 0.0)
    for _ in range(PASSES):
        weight = near * known / (1 + ((others - level[:, None]) / scale) ** 2)
        level = (weight * others).sum(axis=1) / weight.sum(axis=1)
    return np.asarray(level)


def _medians(matrix: Floats) -> Floats:
    """(S,) of each column; 0 for one that was never timed."""
    known = np.isnan(matrix).sum(axis=0) < len(matrix)
    return np.asarray(np.nanmedian(np.where(known, matrix, 0.0), axis=0))
