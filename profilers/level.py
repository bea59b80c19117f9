"""The machine's speed from moment to moment, as all that is timed in one call sees it.

    R  rounds      S  sessions, the sentinel among them
    times (R, S)  milliseconds of one run, NaN where rejected      order (R, S)  sessions in the order they ran
    log times = usual (S,) + level (R, S) + noise

On a shared machine the speed steps up and down within a second or two, when a neighbour on the same host begins or
ends: a MobileNetV3 took 8.8 or 10.2 ms, for half a second to five. A sentinel once a round is too slow a witness of
that, but every block is one: whatever ran just before and just after says how the machine is, once it is known how long
it usually takes. So usual times and level are found by turns, both as medians (Tukey's median polish, with the rows
replaced by a running window). Three loadings of 18 MobileNetV3s in such a minute, 20 rounds: estimates of the same
network differ by 1.1 %, mean; with the running median of the sentinel alone, and rounds rejected where it is off by
more than 5 %, by 2.3 %; with no correction, by 4.1 %.
Source: Tukey 1977, Exploratory Data Analysis, chapter 11.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BESIDE = 2  # blocks on each side that tell a block's level: more of them blur the steps, fewer are noisier
TURNS = 8  # of median polish: within 0.005 % of its end, mean of five calls of 20 rounds; 4 within 0.04 %
QUICK = 0.25  # quantile of the levels that counts as no drift: contention only adds time


def levels(times: Floats, order: Ints) -> Floats:
    """(R, S) how much slower than in its quick moments the machine was around each block; 1 where nothing tells."""
    log = np.log(times)
    row, column = np.arange(len(order)).repeat(order.shape[1]), order.ravel()
    known = np.isfinite(log[row, column])
    if not known.any():
        return np.ones(times.shape)
    seen, session = log[row, column][known], column[known]
    matrix = np.full(times.shape, np.nan)
    usual = _medians(log)
    level = np.zeros(len(seen))
    for _ in range(TURNS):
        level = _beside(seen - usual[session])
        matrix[row[known], session] = seen - level
        usual = _medians(matrix)
    level -= np.quantile(level, QUICK)
    found = np.empty(times.shape)
    found[row, column] = np.exp(np.interp(np.arange(len(known)), np.flatnonzero(known), level))
    return found


def _beside(residuals: Floats) -> Floats:
    """(n,) median of the blocks beside each, itself left out: its own noise is not the machine's."""
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(residuals, BESIDE, constant_values=np.nan), 2 * BESIDE + 1
    )
    others = np.delete(windows, BESIDE, axis=1)
    alone = np.isnan(others).sum(axis=1) == others.shape[1]
    return np.where(alone, 0.0, np.nanmedian(np.where(alone[:, None], 0.0, others), axis=1))


def _medians(matrix: Floats) -> Floats:
    """(S,) of each column; 0 for one that was never timed."""
    known = np.isnan(matrix).sum(axis=0) < len(matrix)
    return np.asarray(np.nanmedian(np.where(known, matrix, 0.0), axis=0))
