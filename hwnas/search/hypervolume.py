"""Hypervolume and Pareto fronts. All objectives are minimised and normalised: 0 ideal, 1 the reference.

    n points   m objectives   F (n, m)

The normalisation is fixed by the space and the problem (see `Problem.scale`), never by how a run starts, so that runs
can be compared. Values below 0 are not clipped; points beyond the reference add nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BLOCK = 256  # points that are compared at once


def hypervolume(F: Floats) -> float:
    """Exact volume between the points and the reference (1, …, 1)."""
    from pymoo.indicators.hv import HV

    inside = F[(F < 1).all(axis=1)]
    if not len(inside):
        return 0.0
    return float(HV(ref_point=np.ones(F.shape[1]))(inside[nondominated(inside)]))


def nondominated(F: Floats) -> NDArray[np.bool_]:
    """(n,) whether no other point is at least as good everywhere and better somewhere; equal points all stay.

    In lexicographic order only earlier points dominate, so blocks are compared with the front before them.
    """
    order = np.lexsort(F.T[::-1])
    ordered = F[order]
    first = np.concatenate([np.ones(min(len(F), 1), bool), (ordered[1:] != ordered[:-1]).any(axis=1)])
    points, kept = ordered[first], np.zeros(np.count_nonzero(first), bool)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        left = start + np.flatnonzero(~_covered(block, points[kept]))
        kept[left] = ~_covered(points[left], points[left], itself=True)
    keep = np.empty(len(F), bool)
    keep[order] = kept[np.cumsum(first) - 1]
    return keep


def _covered(points: Floats, others: Floats, *, itself: bool = False) -> NDArray[np.bool_]:
    """(n,) whether one of the `others` is at least as good everywhere; `itself`: another than the point's own row."""
    better = np.full((len(points), len(others)), True)
    if itself:
        np.fill_diagonal(better, False)
    for mine, theirs in zip(points.T, others.T, strict=True):
        better &= theirs <= mine[:, None]
    return np.asarray(better.any(axis=1))
