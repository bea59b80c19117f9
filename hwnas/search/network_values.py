"""Values of whole networks by a user's function, each computed once; those in the archive are not computed again.

A network for which the function fails has no value: NaN here, and out of the question for a search (`Problem.excess`).
So one that is only considered is left out, and one that is proposed all the same is a failed row with the reason.
Nothing is left to search where it fails for most of the first networks, or for a hundred in a row: that ends it.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy import timeout
from hwnas.search.operators import key, sample_spread
from hwnas.space import Architecture, Genes, SearchSpace
from profilers.errors import BadInput
from profilers.printable import printable
from profilers.reasons import why

Floats = NDArray[np.float64]
SAMPLE = 64  # networks whose values are the bounds
_SEED = 25
IN_A_ROW = 100  # networks that fail one after another, after which it fails for all
LONGEST = 120  # characters of a reason in a line
REMEDY = "mend it; where a network is out of the question, it may return a value that is far too large"


def network_view(space: SearchSpace, arch: Architecture) -> dict[str, Any]:
    """What a function of a network is given: the architecture's own keys ("ks", "e", "d", "r"), and more.

    layers  every layer in order of execution, as `LayerSpec`
    params  learnable parameters            madds  multiply-adds for one image
    """
    layers = space.layers(arch)
    counts = {"params": sum(layer.params for layer in layers), "madds": sum(layer.madds for layer in layers)}
    return {**arch.to_json(), "layers": layers, **counts}


class NetworkValues:
    """(n, n_genes) genes to (n,) values, NaN where the function fails.

    Args:
        name: of the objective.
        space: of the networks.
        function: a `network_view` to a number; None where only known values can be given.
        known: gives the values that are known, by `key` of the canonical genes; NaN where it is known to fail.
        limit: seconds that a network may take; only a program's main thread can be interrupted.
    """

    def __init__(
        self,
        name: str,
        space: SearchSpace,
        function: Callable[[dict[str, Any]], float] | None,
        known: Callable[[], Mapping[bytes, float]] = dict,
        limit: float | None = None,
    ) -> None:
        self.name, self.space, self.function, self._load = name, space, function, known
        self._limit = limit if threading.current_thread() is threading.main_thread() else None
        self._why: dict[bytes, str] = {}
        self._untold: list[str] = []
        self._in_a_row = 0

    @cached_property
    def _known(self) -> dict[bytes, float]:
        return dict(self._load())

    def __call__(self, genes: Genes) -> Floats:
        """BadInput where the function is not there, or fails for one network after another."""
        rows = self.space.canonical(genes)
        keys = [key(row) for row in rows]
        missing = {k: i for i, k in enumerate(keys) if k not in self._known}
        for k, arch in zip(missing, self.space.decode(rows[list(missing.values())]) if missing else (), strict=True):
            self._known[k] = self._computed(k, arch)
        return np.array([self._known[k] for k in keys], float)

    def why(self, genes: Genes) -> str:
        """Of one network without a value, (1, n_genes): the reason."""
        return self._why.get(key(self.space.canonical(genes)[0]), "it had no value before")

    def failures(self) -> list[str]:
        """The reasons of the networks that failed since this was asked last."""
        told, self._untold = self._untold, []
        return told

    def _computed(self, k: bytes, arch: Architecture) -> float:
        if self.function is None:
            got = f"objective {self.name} of network {arch.id} is not in the archive, and a run does not hold its code"
            raise BadInput(got, "networks of the archive", "hwnas search CONFIG.toml, which names the module")
        value, said = self._tried(self.function, arch)
        if not said:
            self._in_a_row = 0
            return value
        self._why[k] = said
        self._untold.append(said)
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            raise BadInput(*self._refused(self._untold[-IN_A_ROW:] or [said], f"{IN_A_ROW} networks in a row"))
        return math.nan

    def _tried(self, function: Callable[[dict[str, Any]], float], arch: Architecture) -> tuple[float, str]:
        """The value, and why there is none."""
        view = network_view(self.space, arch)
        try:
            with timeout.within(self._limit):
                value = float(function(view))
        except KeyboardInterrupt:
            raise
        except timeout.TimedOut:
            return math.nan, f"no value within {self._limit:g} s (objective.{self.name}.timeout)"
        except BaseException as error:  # it can raise anything
            return math.nan, why(error)
        return value, "" if math.isfinite(value) else f"the value {value}, which is no finite number"

    def sampled_bounds(self) -> tuple[float, float]:
        """The least and the largest of the smallest, the largest and some networks between them.

        Raises:
            BadInput: the function fails for most of them.
        """
        drawn = sample_spread(self.space, SAMPLE, np.random.default_rng(_SEED))
        genes = np.concatenate([self.space.encode(self.space.extremes()), drawn])
        values = self(genes)
        failed = np.isnan(values)
        if 2 * failed.sum() > len(values):
            reasons = [self.why(row[None]) for row in genes[failed]]
            raise BadInput(*self._refused(reasons, f"{failed.sum()} of the first {len(values)} networks"))
        return float(values[~failed].min()), float(values[~failed].max())

    def _refused(self, reasons: list[str], which: str) -> tuple[str, str, str]:
        reason, _ = Counter(reasons).most_common(1)[0]
        got = f"objective {self.name} fails for {which}: {printable(reason, LONGEST)}"
        return got, "a finite number for most networks", REMEDY
