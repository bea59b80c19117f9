"""Sums over layers as one array look-up per slot, so that a whole population is evaluated at once.

base (R,)              the fixed layers at each resolution
cost (S, R, K, E, …)   the layer in each slot for each choice, an axis for each attribute of the space
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROWS = 16384  # rows evaluated together, so that the work stays inside the cache


@dataclass(frozen=True, eq=False)
class CostArray:
    """A compiled cost: see `SearchSpace.compile`."""

    base: Floats
    cost: Floats

    @cached_property
    def _flat(self) -> Floats:
        slots, resolutions, *options = self.cost.shape
        table = np.zeros((resolutions, slots, 1 + prod(options)))
        table[:, :, 1:] = self.cost.reshape(slots, resolutions, -1).transpose(1, 0, 2)
        return table.reshape(resolutions, -1)

    def evaluate(self, resolution: NDArray[Any], choices: NDArray[Any]) -> Floats:
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


def extremes(
    base: Floats,
    by_choice: Floats,
    depths: Sequence[Sequence[int]],
    capacity: Sequence[int],
    pick: Callable[..., Any],
    join: Any = np.add,
) -> dict[int, Floats]:
    """The number of layers in the slots to the (R,) extreme costs of such networks, exactly.

    Slots are chosen independently, and a stage's depth says how many of its slots count.

    Args:
        base: (R,).
        by_choice: (S, R, C) of each slot's choices.
        depths: of each stage.
        capacity: slots of each stage.
        pick: `np.min` or `np.max`.
        join: how layers make a network's cost: `np.add`, or `np.maximum` for the largest of them.
    """
    best, found, start = pick(by_choice, axis=2), {0: base}, 0
    for allowed, slots in zip(depths, capacity, strict=True):
        stage = join.accumulate(best[start : start + slots], axis=0)
        found, start = _deeper(found, stage, allowed, join, pick), start + slots
    return found


def _deeper(
    before: Mapping[int, Floats], stage: Floats, depths: Sequence[int], join: Any, pick: Callable[..., Any]
) -> dict[int, Floats]:
    """`extremes` after another stage, whose costs by depth are (D, R)."""
    found: dict[int, Floats] = {}
    for layers, total in before.items():
        for depth in depths:
            value, n = np.asarray(join(total, stage[depth - 1])), layers + depth
            found[n] = pick(np.stack([found.get(n, value), value]), axis=0)
    return found
