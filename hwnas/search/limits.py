"""Whether a network keeps a limit: judged at the end of its interval that is nearer to breaking it.

n networks   ends (n, 3): low, value, high; all three are the value itself where it is counted or evaluated, and
where a table has no interval to speak of (estimated from a data sheet)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, SearchSpace
from lut import LatencyTable

Floats = NDArray[np.float64]


def ends(space: SearchSpace, genes: Genes, values: Sequence[float], table: LatencyTable | None) -> Floats:
    """(n, 3) of an objective with those `values`, looked up in `table` if it has one."""
    if table is None or table.status == "estimated" or not len(genes):
        return np.repeat(np.asarray(values, float)[:, None], 3, axis=1)
    estimate = table.bind(space).predict(genes)
    return np.stack([estimate.low, estimate.ms, estimate.high], axis=1)


def beyond(value: Floats | float, limit: float, minimise: bool) -> NDArray[np.bool_]:
    """Whether values break a limit."""
    return np.asarray(value > limit if minimise else value < limit)


def surely_within(found: Floats, limit: float, minimise: bool) -> NDArray[np.bool_]:
    """(n,) whether the limit is kept at both ends (n, 3)."""
    return ~beyond(found[:, 0], limit, minimise) & ~beyond(found[:, 2], limit, minimise)
