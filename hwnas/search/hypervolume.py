"""Hypervolume and Pareto fronts. All objectives are minimised and normalised: 0 ideal, 1 the reference.

    n points   m objectives   F (n, m)

The normalisation is fixed by the space and the problem (see `Problem.scale`), never by how a run starts, so that runs
can be compared. Values below 0 are not clipped; points beyond the reference add nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hypervolume(F: Floats) -> float:
    """Exact volume between the points and the reference (1, …, 1)."""
    from pymoo.indicators.hv import HV

    inside = F[(F < 1).all(axis=1)]
    if not len(inside):
        return 0.0
    return float(HV(ref_point=np.ones(F.shape[1]))(inside[nondominated(inside)]))


def nondominated(F: Floats) -> NDArray[np.bool_]:
    """(n,) whether no other point is at least as good everywhere and better somewhere; equal points all stay."""
    order = np.lexsort(F.T[::-1])
    keep = np.zeros(len(F), bool)
    front = np.empty((0, F.shape[1]))
    for i in order:  # in lexicographic order only earlier points can dominate
        point = F[i]
        at_least = (front <= point).all(axis=1)
        if not (at_least & (front < point).any(axis=1)).any():
            keep[i] = True
            front = np.concatenate([front, point[None]])
    return keep
