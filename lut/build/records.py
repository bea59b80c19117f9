"""What a build measured, batch by batch, and how the batches are aggregated into a table's entries.

    b  batches (a cover of one resolution, or a group of networks)      o  observations of one layer, ms
    f (b,) drift: a batch's control models over their usual time; its observations are divided by it

Observations of one layer are aggregated over networks and resolutions; few of them borrow the others' scatter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval, MaxLen

from lut.build.bench import Network
from lut.protocols import Floats, Layer, Space
from lut.table.entry import Entry
from lut.table.fields import checked
from profilers.base import STATES, UNSTATED
from profilers.constraints import Milliseconds, OneOf, Share, Text
from profilers.timing.conditions import Conditions
from profilers.timing.control_drift import drifts, reference_times
from profilers.timing.measurement import MeasuredGroup, Measurement

Stored = Annotated[float, Interval(ge=1e-9, le=1e7)]
_PRIOR = 4.0  # a layer's own scatter counts against the table's as if that were known from so many observations
_USUAL_SCATTER = 0.03  # relative; only where no layer of a table was observed twice
_LEAST_MS = 1e-6
_LEAST_SCATTER = 1e-4


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network of a table: its architecture's JSON, its number of classes (None: the space's), its measurement."""

    arch: dict[str, Any]
    classes: int | None
    measurement: Measurement

    @classmethod
    def of(cls, network: Network, measurement: Measurement) -> MeasuredNetwork:
        """As it is stored: the blocks are rounded to nanoseconds."""
        blocks = tuple(None if ms is None else round(ms, 6) for ms in measurement.blocks)
        return cls(network.arch.to_json(), network.classes, replace(measurement, blocks=blocks, samples=None))

    def layers(self, space: Space) -> Sequence[Layer]:
        """Of this network."""
        return Network(space.parse(self.arch), self.classes).layers(space)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, without what all networks of a batch share."""
        m = self.measurement
        return {
            "id": m.id,
            "arch": self.arch,
            "classes": self.classes,
            "ms": m.ms,
            "low": m.low,
            "high": m.high,
            "clock": m.clock,
            "blocks": list(m.blocks),
        }

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """For `profilers.validation`: it is stored as a `StoredNetwork`."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            StoredNetwork.restore, handler.generate_schema(StoredNetwork)
        )

    def sharing(self, state: str, estimator: str, contended_fraction: float) -> MeasuredNetwork:
        """The same with what all measurements of a batch have in common."""
        found = replace(self.measurement, state=state, estimator=estimator, contended_fraction=contended_fraction)
        return replace(self, measurement=found)


@dataclass(frozen=True)
class StoredNetwork:
    """A `MeasuredNetwork` as JSON."""

    id: Text
    arch: dict[str, Any]
    classes: Annotated[int, Interval(ge=2, le=10**6)] | None
    ms: Stored
    low: Stored
    high: Stored
    clock: Text
    blocks: list[Milliseconds | None]

    def restore(self) -> MeasuredNetwork:
        """Without what the batch says for all of its networks."""
        found = Measurement(self.id, self.ms, self.low, self.high, clock=self.clock, blocks=tuple(self.blocks))
        return MeasuredNetwork(self.arch, self.classes, found)


@dataclass(frozen=True)
class MeasurementBatch:
    """What one piece of the work gave, in milliseconds; a build is resumed after the last whole batch.

    `layers` key -> observations; `fused` keys of layers that the runtime showed no node for; `unattributed_fraction`
    the share of time in nodes that belong to no layer; `slowdown` what tracing added to a run, relative; `nodes` the
    sum of the traced nodes over the untraced time; `background_load` other work on the machine, in cores;
    `cpu_clock_fraction` the share of models for which it was too much to be timed by the wall clock;
    `contended_fraction` the share of blocks with other work on the core; `state` of the caches and `estimator` are what
    all measurements of the batch have; `conditions` what the device's own sensors said.
    """

    name: Text
    layers: dict[str, list[Milliseconds]]
    networks: list[MeasuredNetwork]
    controls_ms: Annotated[list[Milliseconds], MaxLen(100)]
    seconds: Milliseconds
    blocks: Annotated[int, Interval(ge=0, le=10**9)]
    rejected: Annotated[int, Interval(ge=0, le=10**9)]
    failed: list[str] = field(default_factory=list)
    fused: list[str] = field(default_factory=list)
    unattributed_fraction: Share = 0.0
    slowdown: Milliseconds = 0.0
    nodes: Milliseconds = 1.0
    background_load: Milliseconds = 0.0
    cpu_clock_fraction: Share = 0.0
    contended_fraction: Share = 0.0
    state: Annotated[str, OneOf((*STATES, UNSTATED))] = UNSTATED
    estimator: Text = ""
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def is_cover(self) -> bool:
        """Whether it observed layers, and did not only measure networks end to end."""
        return bool(self.layers)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "conditions"}
        told = {"conditions": self.conditions.to_json()} if self.conditions.told else {}
        return {**plain, **told, "networks": [network.to_json() for network in self.networks]}

    @classmethod
    def from_json(cls, value: Any, where: str) -> MeasurementBatch:
        """Strict; TableError names the field that is not what it must be."""
        found = checked(cls, value, where)
        shared = (found.state, found.estimator, found.contended_fraction)
        return replace(found, networks=[network.sharing(*shared) for network in found.networks])


def batch_of(name: str, group: MeasuredGroup, networks: list[MeasuredNetwork], seconds: float) -> MeasurementBatch:
    """A group of networks as a batch; whoever timed a cover adds what was observed of its layers."""
    first = next(iter(group.measured.values()))
    return MeasurementBatch(
        name,
        {},
        networks,
        group.controls_ms,
        seconds,
        group.blocks,
        group.rejected,
        [f"{k}: {v}" for k, v in group.failed.items()],
        background_load=group.background_load,
        cpu_clock_fraction=group.cpu_clock_fraction,
        contended_fraction=group.contended_fraction,
        conditions=group.conditions,
        state=first.state,
        estimator=first.estimator,
    )


def batch_drifts(batches: Sequence[MeasurementBatch]) -> Floats:
    """(b,) against the quick groups of networks, which are timed as `verify` times them.

    Traced sessions disturb what is timed beside them; the control models in those batches show by how much.
    """
    plain = np.array([not b.is_cover for b in batches], bool)
    times = [b.controls_ms for b in batches]
    factors = np.ones(len(batches))
    for group, reference in ((plain, None), (~plain, reference_speed(batches) if plain.any() else None)):
        if group.any():
            factors[group] = drifts([t for t, mine in zip(times, group, strict=True) if mine], reference)
    return factors


def reference_speed(batches: Sequence[MeasurementBatch]) -> list[float]:
    """The controls' quick milliseconds beside networks (beside covers, where nothing else was timed)."""
    plain = [b.controls_ms for b in batches if not b.is_cover]
    return [float(t) for t in reference_times(plain or [b.controls_ms for b in batches])]


def aggregate(batches: Sequence[MeasurementBatch]) -> dict[str, Entry]:
    """Entries by layer key from all observations, whatever network or resolution they come from."""
    observed: dict[str, list[float]] = {}
    for batch, drift in zip(batches, batch_drifts(batches).tolist(), strict=True):
        for key, values in batch.layers.items():
            observed.setdefault(key, []).extend(v / drift for v in values)
    scatter = _common_scatter(observed.values())
    return {key: _entry(np.array(values), scatter) for key, values in observed.items()}


def relative_errors(entries: Mapping[str, Entry]) -> Floats:
    """(layers,) relative standard errors, for the stopping rule."""
    return np.array([e.se / e.ms for e in entries.values()])


def _entry(values: Floats, scatter: float) -> Entry:
    n, ms = len(values), max(float(np.mean(_without_outliers(values))), _LEAST_MS)
    own = float(np.sum((values / ms - 1) ** 2))
    relative = math.sqrt((_PRIOR * scatter**2 + own) / (_PRIOR + n - 1))
    return Entry(ms, ms * relative / math.sqrt(n), n)


def _without_outliers(values: Floats) -> Floats:
    """From five on: without what lies further than 3 robust standard deviations from the median."""
    if len(values) < 5:
        return values
    distance = np.abs(values - np.median(values))
    return values[distance <= max(3 * 1.4826 * float(np.median(distance)), 1e-9)]


def _common_scatter(observed: Iterable[Sequence[float]]) -> float:
    """The layers' usual relative scatter around their mean: the median over layers seen more than once."""
    repeated = [np.array(v) for v in observed if len(v) > 1]
    if not repeated:
        return _USUAL_SCATTER
    return max(float(np.median([v.std(ddof=1) / max(v.mean(), _LEAST_MS) for v in repeated])), _LEAST_SCATTER)
