"""The latency table: layer key to milliseconds, bound to a space to predict whole populations.

    n  architectures      ms, low, high (n,) milliseconds      genes (n, n_genes), see `lut.protocols`

A network costs the sum of its layers, corrected where a calibration was found to help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import annotated_types as limits
import numpy as np

from lut.estimate.correction import Calibration, Interval
from lut.estimate.kernels import FEATURES
from lut.protocols import Floats, Genes, Lookup, Space
from lut.table.classifier import Classifier, classifier
from lut.table.entry import Entry
from lut.table.fields import number
from profilers.base import UNSTATED, Options
from profilers.constraints import Count, OneOf, Text
from profilers.errors import TableError
from profilers.published import doubt, is_hash_published
from profilers.timing.fingerprint import Fingerprint

STATUSES = ("measured", "fitted", "estimated", "imported")
_NORMAL_95 = 1.96
_MS = 1e7


class Estimate(NamedTuple):
    """Predicted milliseconds of n networks with their interval, each (n,)."""

    ms: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class SpaceId:
    """The space that a table was made for; it serves the same space with another number of classes too."""

    name: Text
    """Its name."""
    signature: Text
    """Its identity."""
    resolutions: Annotated[tuple[Annotated[int, limits.Interval(ge=1, le=10_000)], ...], limits.MinLen(1)]
    """Pixels of a side, rising."""
    classes: Count
    """Of the networks that were measured, or that an imported file is of."""
    definition: dict[str, Any] | None = None
    """The whole of it in plain values; older tables are of built-in spaces and do not hold it."""

    @classmethod
    def of(cls, space: Space) -> SpaceId:
        """The identity of `space`."""
        return cls(space.name, space.signature, tuple(space.resolutions), space.classes, space.to_json())


@dataclass(frozen=True)
class LatencyTable:
    """Layer key to time, and all that is known about how it came about."""

    space: SpaceId
    """The space that it was made for."""
    entries: Mapping[str, Entry] = field(repr=False)
    """Layer key to milliseconds, their standard error, and the number of observations."""
    status: Annotated[str, OneOf(STATUSES)]
    """How the milliseconds were obtained."""
    method: Text
    """By which procedure."""
    device: Text
    """The device, for people."""
    options: Options
    """How models were run."""
    fingerprint: Fingerprint | None = None
    """The device, runtime and settings; None where the device was not at hand (estimated, imported)."""
    calibration: Calibration | None = None
    """What is added to the sum of a network's layers."""
    interval: Interval | None = None
    """How far a network's latency may lie from the prediction."""
    verify: Mapping[str, Any] | None = None
    """Figures of the last verification."""
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Settings and incidents of the build."""
    observations: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The raw values behind the entries."""

    def bind(self, space: Space) -> BoundTable:
        """Compile the table for `space`, whatever its number of classes (`lut.table.classifier`).

        Raises:
            TableError: a table of another space, or layers of `space` that it lacks (how many, and the first).
        """
        if not space.has_signature(self.space.signature):
            raise TableError(
                f"a latency table of space {self.space.name!r} ({self.space.signature}) for space {space.name!r}",
                f"a table of {space.name!r} ({space.signature})", f"hwnas lut build --space {space.name}",
            )  # fmt: skip
        last = self._classifier(space)
        entries = {**self.entries, **({space.classifier.key: last.entry} if last else {})}
        self._check_layers(space, entries)
        cost = space.compile(lambda layer: entries[layer.key].ms)
        variance = space.compile(lambda layer: entries[layer.key].se ** 2)
        assert last is not None  # or its layer were missing
        return BoundTable(self, space, cost, variance, last)

    def _classifier(self, space: Space) -> Classifier | None:
        own, weights = space.with_classes(self.space.classes).classifier, self.provenance.get("weights")
        fitted = None
        if self.status == "fitted" and isinstance(weights, dict) and len(weights) == len(FEATURES) + 1:
            fitted = [number(w, -_MS, _MS, "a fitted table's weights") for w in weights.values()]
        return classifier(self.entries, space.classifier, own, self.options.batch, fitted)

    def _check_layers(self, space: Space, entries: Mapping[str, Entry]) -> None:
        keys = list(dict.fromkeys(layer.key for layer in space.all_layers()))
        missing = [key for key in keys if key not in entries]
        if missing:
            have = ",".join(map(str, self.space.resolutions))
            raise TableError(
                f"the latency table lacks {len(missing)} of the {len(keys)} layers of {space.name}, first {missing[0]}",
                f"resolutions {have}", "these resolutions only, or a table that is built for more",
            )  # fmt: skip

    @property
    def remarks(self) -> list[str]:
        """What a user should know before relying on the table; a line each."""
        if self.status == "imported":
            hashes = self.provenance.get("sha256")
            other = [name for name, digest in dict(hashes or {}).items() if not is_hash_published(str(digest))]
            return [line] if (line := doubt(other)) else []
        if self.status != "measured" or self.options.state != UNSTATED:
            return []
        return [
            "the table was measured by an earlier version, whose state was neither steady nor interrupted: it predicts "
            "up to 50 % too much for small networks; build it again with hwnas lut build"
        ]

    @property
    def interval_source(self) -> str:
        """Where `low` and `high` of a prediction come from, in words."""
        if self.interval is None:
            return "standard errors of the layers only (no whole network was measured)"
        return f"{self.interval.source}, {self.interval.networks} networks"


@dataclass(frozen=True, eq=False)
class BoundTable:
    """A table compiled for one space; `classifier` is the entry of that space's, and how it came about."""

    table: LatencyTable
    space: Space
    cost: Lookup
    variance: Lookup
    classifier: Classifier

    @property
    def entries(self) -> dict[str, Entry]:
        """By key, with the classifier's."""
        return {**self.table.entries, self.space.classifier.key: self.classifier.entry}

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
            below, above = (
                np.hypot(ms * abs(end - 1), _NORMAL_95 * self.classifier.more)
                for end in (interval.lower, interval.upper)
            )
            return Estimate(ms, np.maximum(ms - below, 0.0), ms + above)
        half = _NORMAL_95 * np.sqrt(self.variance.evaluate(genes[:, 0], choices)) * (ms / sums)
        return Estimate(ms, np.maximum(ms - half, 0.0), ms + half)

    def _calibrated(self, sums: Floats, resolution: Genes, choices: Genes) -> Floats:
        if self.table.calibration is None:
            return sums
        pixels = np.array(self.space.resolutions, float)[resolution - 1]
        return self.table.calibration.apply(sums, np.count_nonzero(choices, axis=1), pixels)
