"""Rank correlations, as SciPy defines them: all of scipy.stats takes a second to import, too long for a command."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_ROWS = 500  # that are compared with all at once


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two (n,), by a comparison of all pairs; NaN where one is all equal.

    >>> kendall([1, 2, 3], [1, 3, 2])
    0.3333333333333333
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    agree, in_x, in_y = 0, 0, 0  # each pair twice; the last two are those that are no ties
    for start in range(0, len(x), _ROWS):
        of_x, of_y = (np.sign(values[start : start + _ROWS, None] - values) for values in (x, y))
        agree += int(np.sum(of_x * of_y))
        in_x, in_y = in_x + int(np.count_nonzero(of_x)), in_y + int(np.count_nonzero(of_y))
    if not (in_x and in_y):
        return float("nan")
    return float(np.clip(agree / 2 / np.sqrt(in_x / 2) / np.sqrt(in_y / 2), -1, 1))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rho of two (n,), ties at their mean rank; NaN where one is all equal.

    >>> spearman([1, 2, 3], [1, 3, 2])
    0.5
    """
    x, y = _ranks(a), _ranks(b)
    if not (np.ptp(x) and np.ptp(y)):
        return float("nan")
    return float(np.corrcoef(x, y)[1, 0])


def _ranks(values: ArrayLike) -> Floats:
    _, place, count = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
