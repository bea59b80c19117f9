"""Expected hypervolume improvement where only accuracy is uncertain: the measure that the default search maximises.

    M sample points    m costs, known exactly    k candidates
    c_j (M, m)   quasi-random points of the box of normalised costs [0, 1]^m
    A_j (M,)     the smallest loss among evaluated networks whose costs are all <= c_j; 1, the reference, if none is

The hypervolume is the mean over j of 1 - A_j: the accuracy axis is integrated exactly, only the costs are sampled. A
candidate of loss N(mu, s^2) and costs c adds, on the average over j with c <= c_j, its classical expected improvement

    E[max(0, A_j - loss)] = s (z Phi(z) + phi(z)),   z = (A_j - mu) / s

With one accuracy objective alone (m = 0) this is Jones's expected improvement; with s = 0 the added hypervolume.
Source: Emmerich's expected hypervolume improvement, specialised to one uncertain objective.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hwnas.search.sobol import sobol

Floats = NDArray[np.float64]
_SQRT_2PI = np.sqrt(2 * np.pi)
_BLOCK = 64  # networks whose points are looked for at once


class Improvement:
    """What candidates would add to a set of networks."""

    def __init__(self, loss: Floats, costs: Floats, rng: np.random.Generator, samples: int = 2048) -> None:
        """`loss` (n,) and `costs` (n, m) of the evaluated networks, normalised."""
        m = costs.shape[1]
        self.points = sobol(m, samples, rng) if m else np.zeros((1, 0))
        self._sorted = np.sort(self.points.T)  # (m, M)
        short = np.min_scalar_type(samples)  # the comparisons of `gain` cost as much as what they read
        self._rank = np.argsort(np.argsort(self.points.T)).astype(short)  # (m, M) places in `_sorted`
        self.level = np.ones(len(self.points))
        inside = (loss < 1) & (costs < 1).all(axis=1)
        loss, costs = loss[inside], costs[inside]
        for start in range(0, len(loss), _BLOCK):
            block = slice(start, start + _BLOCK)
            reached = np.where(self._covers(costs[block], self._rank), loss[block, None], 1.0)
            self.level = np.minimum(self.level, reached.min(axis=0))

    def add(self, loss: float, costs: Floats) -> None:
        """Take one more network (m,) as evaluated, or as believed to be as predicted."""
        inside = (costs <= self.points).all(axis=1)
        self.level[inside] = np.minimum(self.level[inside], loss)
        self.__dict__.pop("_steps", None)

    @cached_property
    def _steps(self) -> tuple[Floats, NDArray[np.intp], NDArray[np.unsignedinteger[Any]]]:
        """Distinct levels, the first point of each in their order, and (m, M) the points' ranks in that order."""
        order = np.argsort(self.level, kind="stable")
        levels, first = np.unique(self.level[order], return_index=True)
        return levels, first, self._rank[:, order]

    def gain(self, mean: Floats, std: Floats | None, costs: Floats) -> Floats:
        """(k,) expected added hypervolume of candidates with predicted loss (k,) and costs (k, m)."""
        levels, first, ranks = self._steps
        counts = np.add.reduceat(self._covers(costs, ranks), first, axis=1, dtype=np.int32)  # (k, levels)
        row, j = np.nonzero(counts)
        gap = levels[j] - mean[row]
        improvement = np.maximum(gap, 0.0) if std is None else expected_excess(gap, np.maximum(std, 1e-12)[row])
        return np.bincount(row, improvement * counts[row, j], len(mean)) / len(self.points)

    def _covers(self, costs: Floats, ranks: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.bool_]:
        """(k, M) whether a candidate covers a point: none of its costs is larger."""
        covers = np.ones((len(costs), len(self.points)), bool)
        for column, ordered, rank in zip(costs.T, self._sorted, ranks, strict=True):
            smaller = np.searchsorted(ordered, column).astype(rank.dtype)
            covers &= smaller[:, None] <= rank
        return covers


def expected_excess(gap: Floats, std: Floats) -> Floats:
    """E[max(0, gap + std * N(0, 1))], element by element; computed where it is not negligible."""
    z = gap / std
    result = np.maximum(gap, 0.0)
    near = np.abs(z) < 4.0
    z = z[near]
    result[near] = std[near] * (z * ndtr(z) + np.exp(-0.5 * z * z) / _SQRT_2PI)
    return result
