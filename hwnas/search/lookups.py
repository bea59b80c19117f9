"""Costs of layers as look-ups: sums or maxima over a network, their exact bounds in a space, and as plain values.

R  resolutions   S  slots   C  choices of a slot   n  networks
base (R,)        the fixed layers              cost (S, R, …, …)  the layer in each slot for each choice
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, LayerSpec, SearchSpace
from hwnas.space.cost import CostArray, extremes
from profilers.errors import BadInput
from profilers.reasons import foreign

Floats = NDArray[np.float64]
_ROWS = 16384  # rows evaluated together, so that the work stays inside the cache


@dataclass(frozen=True, eq=False)
class Lookup:
    """A compiled cost of layers; a network costs their sum, or with `largest` the largest of them."""

    space: SearchSpace
    base: Floats
    cost: Floats
    largest: bool = False

    def __call__(self, genes: Genes) -> Floats:
        """(n,) costs of (n, n_genes) canonical genes."""
        resolution, choices = genes[:, 0], self.space.choices(genes)
        if not self.largest:
            return self._compiled.evaluate(resolution, choices)
        parts = [slice(i, i + _ROWS) for i in range(0, len(genes), _ROWS)]
        found = [self._maximum(resolution[part], choices[part]) for part in parts]
        return np.concatenate(found) if found else np.zeros(0)

    @property
    def sums(self) -> CostArray | None:
        """Itself, where it is a sum."""
        return None if self.largest else self._compiled

    @cached_property
    def _compiled(self) -> CostArray:
        return CostArray(self.base, self.cost)

    def _maximum(self, resolution: Genes, choices: Genes) -> Floats:
        r = resolution.astype(np.int32) - 1
        width, slots = self._flat.shape[1], choices.shape[1]
        index = (r * width)[:, None] + np.arange(slots, dtype=np.int32) * (width // slots) + choices
        return np.asarray(np.maximum(self._flat.ravel().take(index).max(axis=1), self.base[r]))

    @cached_property
    def _flat(self) -> Floats:
        """(R, S (1 + C)) with the least there is for an absent layer."""
        cost = self.by_choice
        absent = np.full((*cost.shape[:2], 1), -np.inf)
        return np.concatenate([absent, cost], axis=2).transpose(1, 0, 2).reshape(len(self.base), -1)

    @property
    def by_choice(self) -> Floats:
        """(S, R, C)."""
        return self.cost.reshape(*self.cost.shape[:2], -1)

    def bounds(self) -> tuple[float, float]:
        """The least and the largest cost of any network, exactly."""
        low, high = (np.array(list(self.by_layers(pick).values())) for pick in (np.min, np.max))
        return float(low.min()), float(high.max())

    def by_layers(self, pick: Callable[..., Any]) -> dict[int, Floats]:
        """The number of layers in the slots to the (R,) extreme costs of such networks, exactly."""
        join = np.maximum if self.largest else np.add
        return extremes(self.base, self.by_choice, self.space.depth_choices, self.space.capacity, pick, join)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"base": self.base.tolist(), "cost": self.cost.tolist(), "largest": self.largest}


def compiled(space: SearchSpace, value: Callable[[LayerSpec], float], largest: bool, name: str) -> Lookup:
    """The look-up of a cost of layers; BadInput where it raises or gives no finite number."""

    def checked(layer: LayerSpec) -> float:
        what, allowed = f"objective {name} of layer {layer.key}", "a number for every layer of the space"
        with foreign(lambda said: BadInput(f"{what} raises {said}", allowed)):
            found = float(value(layer))
        if not math.isfinite(found):
            raise BadInput(f"{what} is {found}", "a finite number")
        return found

    cost = space.compile(checked)
    if not largest:
        return Lookup(space, cost.base, cost.cost)
    fixed = [max(checked(layer) for part in space.fixed(r) for layer in part) for r in space.resolutions]
    return Lookup(space, np.array(fixed, float), cost.cost, largest=True)


def stored(space: SearchSpace, base: Any, cost: Any, largest: bool, where: str) -> Lookup:
    """A look-up of plain values; BadInput if they do not fit the space."""
    shape = space.compile(lambda _: 0.0).cost.shape
    try:
        found = Lookup(space, np.array(base, float), np.array(cost, float), largest)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where} is damaged", remedy="a copy of it, or a new run") from error
    if found.base.shape != (len(space.resolutions),) or found.cost.shape != shape:
        raise BadInput(f"{where} is of another space", f"costs of {space.name}", "a copy of it, or a new run")
    if not (np.isfinite(found.base).all() and np.isfinite(found.cost).all()):
        raise BadInput(f"{where} holds what is no number", "finite numbers", "a copy of it, or a new run")
    return found
