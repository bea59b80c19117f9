"""The latency table: layer key to milliseconds, bound to a space to predict whole populations.

    n  architectures      ms, low, high (n,) milliseconds      genes (n, n_genes), see `lut.protocols`

A network costs the sum of its layers, corrected where a calibration was found to help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from lut.correction import Calibration, Interval
from lut.protocols import Floats, Genes, Lookup, Space
from profilers.base import Options
from profilers.errors import TableError
from profilers.fingerprint import Fingerprint

STATUSES = ("measured", "fitted", "estimated", "imported")
_NORMAL_95 = 1.96


class Entry(NamedTuple):
    """One layer: milliseconds, their standard error, and the number of observations behind them."""

    ms: float
    se: float
    n: int


class Estimate(NamedTuple):
    """Predicted milliseconds of n networks with their interval, each (n,)."""

    ms: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class SpaceId:
    """The space that a table was made for."""

    name: str
    signature: str
    resolutions: tuple[int, ...]
    classes: int

    @classmethod
    def of(cls, space: Space) -> SpaceId:
        """The identity of `space`."""
        return cls(space.name, space.signature, tuple(space.resolutions), space.classes)


@dataclass(frozen=True)
class LatencyTable:
    """Layer key to time, and all that is known about how it came about.

    `status` says how the milliseconds were obtained, `method` by which procedure. `verify` holds the figures of the
    last verification, `observations` the raw values behind the entries, `provenance` the settings and incidents.
    `fingerprint` is None where the device was not at hand (estimated, imported); `device` names it for people.
    """

    space: SpaceId
    entries: Mapping[str, Entry] = field(repr=False)
    status: str
    method: str
    device: str
    options: Options
    fingerprint: Fingerprint | None = None
    calibration: Calibration | None = None
    interval: Interval | None = None
    verify: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    observations: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def bind(self, space: Space) -> BoundTable:
        """Compile the table for `space`.

        Raises:
            TableError: a table of another space, or layers of `space` that it lacks (how many, and the first).
        """
        if space.signature != self.space.signature:
            raise TableError(
                f"a latency table of space {self.space.name!r} ({self.space.signature}) for space {space.name!r}",
                f"a table of {space.name!r} ({space.signature})", f"hwnas lut build --space {space.name}",
            )  # fmt: skip
        self._check_layers(space)
        cost = space.compile(lambda layer: self.entries[layer.key].ms)
        variance = space.compile(lambda layer: self.entries[layer.key].se ** 2)
        return BoundTable(self, space, cost, variance)

    def _check_layers(self, space: Space) -> None:
        keys = list(dict.fromkeys(layer.key for layer in space.all_layers()))
        missing = [key for key in keys if key not in self.entries]
        if missing:
            have = ",".join(map(str, self.space.resolutions))
            raise TableError(
                f"the latency table lacks {len(missing)} of the {len(keys)} layers of {space.name}, first {missing[0]}",
                f"resolutions {have}", f"--resolutions {have}, or build a table of more resolutions",
            )  # fmt: skip

    @property
    def interval_source(self) -> str:
        """Where `low` and `high` of a prediction come from, in words."""
        if self.interval is None:
            return "standard errors of the layers only (no whole network was measured)"
        return f"{self.interval.source}, {self.interval.networks} networks"


@dataclass(frozen=True, eq=False)
class BoundTable:
    """A table compiled for one space."""

    table: LatencyTable
    space: Space
    cost: Lookup
    variance: Lookup

    def sums(self, genes: Genes) -> Floats:
        """(n,) plain sums of the layers' milliseconds, uncalibrated; a million a second."""
        return self.cost.evaluate(genes[:, 0], self.space.choices(genes))

    def predict(self, genes: Genes) -> Estimate:
        """Milliseconds with their interval for (n, n_genes) genes; BadInput if they do not fit the space."""
        genes = self.space.check_genes(genes)
        choices = self.space.choices(genes)
        sums = self.cost.evaluate(genes[:, 0], choices)
        ms = self._calibrated(sums, genes[:, 0], choices)
        if (interval := self.table.interval) is not None:
            return Estimate(ms, ms * interval.lower, ms * interval.upper)
        half = _NORMAL_95 * np.sqrt(self.variance.evaluate(genes[:, 0], choices)) * (ms / sums)
        return Estimate(ms, np.maximum(ms - half, 0.0), ms + half)

    def _calibrated(self, sums: Floats, resolution: Genes, choices: Genes) -> Floats:
        if self.table.calibration is None:
            return sums
        pixels = np.array(self.space.resolutions, float)[resolution - 1]
        return self.table.calibration.apply(sums, np.count_nonzero(choices, axis=1), pixels)
