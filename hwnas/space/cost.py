"""Sums over layers as one array look-up per slot, so that a whole population is evaluated at once.

base (R,)              the fixed layers at each resolution
cost (S, R, K, E, …)   the layer in each slot for each choice, an axis for each attribute of the space
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 16384  # rows evaluated together, so that the work stays inside the cache


@dataclass(frozen=True, eq=False)
class CostArray:
    """A compiled cost: see `SearchSpace.compile`."""

    base: NDArray[np.float64]
    cost: NDArray[np.float64]

    @cached_property
    def _flat(self) -> NDArray[np.float64]:
        slots, resolutions, *options = self.cost.shape
        table = np.zeros((resolutions, slots, 1 + prod(options)))
        table[:, :, 1:] = self.cost.reshape(slots, resolutions, -1).transpose(1, 0, 2)
        return table.reshape(resolutions, -1)

    def evaluate(self, resolution: NDArray[Any], choices: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) costs.

        Args:
            resolution: (n,) resolution genes, counted from 1.
            choices: (n, S) from `SearchSpace.choices`.
        """
        width = self._flat.shape[1]
        columns = np.arange(choices.shape[1], dtype=np.int32) * (width // choices.shape[1])
        result = np.empty(len(choices))
        for start in range(0, len(choices), _ROWS):
            rows = slice(start, start + _ROWS)
            r = resolution[rows].astype(np.int32) - 1
            index = (r * width)[:, None] + columns + choices[rows]
            result[rows] = self._flat.ravel().take(index).sum(axis=1) + self.base[r]
        return result
