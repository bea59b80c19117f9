"""Values of whole networks by a user's function, each computed once; those in the archive are not computed again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.operators import key, sample_spread
from hwnas.space import Architecture, Genes, SearchSpace
from profilers.errors import BadInput
from profilers.reasons import foreign

Floats = NDArray[np.float64]
SAMPLE = 64  # networks whose values are the bounds
_SEED = 25


def network_view(space: SearchSpace, arch: Architecture) -> dict[str, Any]:
    """What a function of a network is given: the architecture's own keys ("ks", "e", "d", "r"), and more.

    layers  every layer in order of execution, as `LayerSpec`
    params  learnable parameters            madds  multiply-adds for one image
    """
    layers = space.layers(arch)
    counts = {"params": sum(layer.params for layer in layers), "madds": sum(layer.madds for layer in layers)}
    return {**arch.to_json(), "layers": layers, **counts}


class NetworkValues:
    """(n, n_genes) genes to (n,) values.

    Args:
        name: of the objective.
        space: of the networks.
        function: a `network_view` to a number; None where only known values can be given.
        known: gives the values that are known, by `key` of the canonical genes.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        function: Callable[[dict[str, Any]], float] | None,
        known: Callable[[], Mapping[bytes, float]] = dict,
    ) -> None:
        self.name, self.space, self.function, self._load = name, space, function, known

    @cached_property
    def _known(self) -> dict[bytes, float]:
        return dict(self._load())

    def __call__(self, genes: Genes) -> Floats:
        """BadInput where the function raises, gives no finite number, or is not there."""
        rows = self.space.canonical(genes)
        keys = [key(row) for row in rows]
        missing = {k: i for i, k in enumerate(keys) if k not in self._known}
        for k, arch in zip(missing, self.space.decode(rows[list(missing.values())]) if missing else (), strict=True):
            self._known[k] = self._computed(arch)
        return np.array([self._known[k] for k in keys], float)

    def _computed(self, arch: Architecture) -> float:
        if self.function is None:
            got = f"objective {self.name} of network {arch.id} is not in the archive, and a run does not hold its code"
            raise BadInput(got, "networks of the archive", "hwnas search CONFIG.toml, which names the module")
        what, allowed = f"objective {self.name} of network {arch.id}", "a number for every network of the space"
        with foreign(lambda said: BadInput(f"{what} raises {said}", allowed)):
            value = float(self.function(network_view(self.space, arch)))
        if not math.isfinite(value):
            raise BadInput(f"{what} is {value}", "a finite number")
        return value

    def sampled_bounds(self) -> tuple[float, float]:
        """The least and the largest of the smallest, the largest and some networks between them."""
        drawn = sample_spread(self.space, SAMPLE, np.random.default_rng(_SEED))
        values = self(np.concatenate([self.space.encode(self.space.extremes()), drawn]))
        return float(values.min()), float(values.max())
