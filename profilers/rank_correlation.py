"""Rank correlations, as SciPy defines them: all of scipy.stats takes a second to import, too long for a command."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def kendall(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two (n,), by an (n, n) comparison; NaN where one is all equal.

    >>> kendall([1, 2, 3], [1, 3, 2])
    0.3333333333333333
    """
    x, y = _order(a), _order(b)
    pairs = np.count_nonzero(x) / 2, np.count_nonzero(y) / 2  # that are no ties
    if not all(pairs):
        return float("nan")
    return float(np.clip(np.sum(x * y) / 2 / np.sqrt(pairs[0]) / np.sqrt(pairs[1]), -1, 1))


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rho of two (n,), ties at their mean rank; NaN where one is all equal.

    >>> spearman([1, 2, 3], [1, 3, 2])
    0.5
    """
    x, y = _ranks(a), _ranks(b)
    if not (np.ptp(x) and np.ptp(y)):
        return float("nan")
    return float(np.corrcoef(x, y)[1, 0])


def _order(values: ArrayLike) -> Floats:
    """(n, n) the sign of each difference."""
    column = np.asarray(values, float)
    signs: Floats = np.sign(column[:, None] - column)
    return signs


def _ranks(values: ArrayLike) -> Floats:
    _, place, count = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(count) - (count - 1) / 2)[place]
    return ranks
