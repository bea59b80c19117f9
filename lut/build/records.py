"""Observations of layers and networks, and how they are pooled into a table's entries.

    u  units (one cover of one resolution)      o  observations of one layer, ms
    f  (u,) drift: a unit's sentinels over their usual time; its observations are divided by it

Observations of one layer are pooled over networks and resolutions; few of them borrow the others' scatter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lut.build.control_drift import drifts, reference_times
from lut.protocols import Floats, Layer, Space
from lut.table.entry import Entry
from lut.table.fields import Fields, number

_MS = 1e7
_PRIOR = 4.0  # a layer's own scatter counts against the table's as if that were known from so many observations
_USUAL_SCATTER = 0.03  # relative; only where no layer of a table was observed twice
_LEAST_MS = 1e-6
_LEAST_SCATTER = 1e-4
_LATER = ("nodes", "shared")  # fields that units of older tables lack; they get their defaults


@dataclass(frozen=True)
class NetworkTime:
    """One network measured end to end: its architecture's JSON, the estimate and the raw blocks (None = rejected).

    No blocks: a covering network that was not run untraced; `ms` is by its traced runs. `classes` is None where it has
    as many as the table's space.
    """

    arch: dict[str, Any]
    ms: float
    blocks: list[float | None] = field(repr=False)
    classes: int | None = None

    def home(self, space: Space) -> Space:
        """The table's space, of this network's number of classes."""
        return space if self.classes is None else space.with_classes(self.classes)

    def layers(self, space: Space) -> Sequence[Layer]:
        """Of this network."""
        return self.home(space).layers(space.parse(self.arch))


@dataclass(frozen=True)
class Unit:
    """What one piece of the work gave, in milliseconds; a build is resumed after the last whole unit.

    `layers` key -> observations; `fused` keys of layers that the runtime showed no node for; `foreign` the share of
    time in nodes that belong to no layer; `slowdown` what tracing added to a run, relative; `nodes` the sum of the
    traced nodes over the untraced time; `load` other work on the machine, in cores; `busy` the share of models for
    which it was too much to be timed by the wall clock; `shared` the share of blocks with other work on the core.
    """

    name: str
    layers: dict[str, list[float]]
    networks: list[NetworkTime]
    sentinels: list[float]
    seconds: float
    blocks: int
    rejected: int
    failed: list[str] = field(default_factory=list)
    fused: list[str] = field(default_factory=list)
    foreign: float = 0.0
    slowdown: float = 0.0
    nodes: float = 1.0
    load: float = 0.0
    busy: float = 0.0
    shared: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, where: str) -> Unit:
        """Strict; TableError names the field that is not what it must be."""
        later = {name: cls.__dataclass_fields__[name].default for name in _LATER}
        f = Fields({**later, **value} if isinstance(value, dict) else value, where)
        f.exactly(set(cls.__dataclass_fields__))
        layers = {k: [number(x, 0, _MS, where) for x in _list(v, where)] for k, v in f.mapping("layers").items()}
        networks = [_network(v, where) for v in f.list("networks", 100_000)]
        sentinels = [number(x, 0, _MS, where) for x in f.list("sentinels", 100)]
        failed, fused = ([str(x) for x in f.list(k, 100_000)] for k in ("failed", "fused"))
        return cls(
            f.text("name"), layers, networks, sentinels, f.number("seconds", 0, _MS),
            f.integer("blocks", 0, 10**9), f.integer("rejected", 0, 10**9), failed, fused,
            f.number("foreign", 0, 1), f.number("slowdown", 0, _MS), f.number("nodes", 0, _MS),
            f.number("load", 0, _MS), f.number("busy", 0, 1), f.number("shared", 0, 1),
        )  # fmt: skip


def sampling_error(network: NetworkTime) -> float:
    """Relative standard error of an estimate by its own rounds, from its even and odd ones; 0 where they do not say."""
    blocks = np.array([math.nan if b is None else b for b in network.blocks], float)
    even, odd = halves(blocks)
    return 0.0 if math.isnan(even + odd) else abs(even - odd) / (even + odd)


def halves(blocks: Floats, least: int = 1) -> tuple[float, float]:
    """The medians of the even and the odd blocks (NaN: rejected); NaN where fewer than `least` were accepted."""
    good = [half[np.isfinite(half)] for half in (blocks[::2], blocks[1::2])]
    even, odd = (float(np.median(half)) if len(half) >= least else math.nan for half in good)
    return even, odd


def unit_drifts(units: Sequence[Unit]) -> Floats:
    """(u,) against the quick units of whole networks, which are timed as `verify` times them.

    Traced sessions disturb what is timed beside them; the sentinels in those units show by how much.
    """
    whole = np.array([not u.layers for u in units], bool)
    times = [u.sentinels for u in units]
    factors = np.ones(len(units))
    for group, reference in ((whole, None), (~whole, reference_speed(units) if whole.any() else None)):
        if group.any():
            factors[group] = drifts([t for t, mine in zip(times, group, strict=True) if mine], reference)
    return factors


def reference_speed(units: Sequence[Unit]) -> list[float]:
    """The sentinels' quick milliseconds beside whole networks (beside covers, where nothing else was timed)."""
    plain = [u.sentinels for u in units if not u.layers]
    return [float(t) for t in reference_times(plain or [u.sentinels for u in units])]


def pool(units: Sequence[Unit]) -> dict[str, Entry]:
    """Entries by layer key from all observations, whatever network or resolution they come from."""
    observed: dict[str, list[float]] = {}
    for unit, drift in zip(units, unit_drifts(units).tolist(), strict=True):
        for key, values in unit.layers.items():
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


def _network(value: Any, where: str) -> NetworkTime:
    f = Fields({"classes": None, **value} if isinstance(value, dict) else value, f"{where}: network")
    f.exactly({"arch", "ms", "blocks", "classes"})
    blocks = [None if b is None else number(b, 0, _MS, where) for b in f.list("blocks", 100_000)]
    classes = f.optional("classes", lambda _: f.integer("classes", 2, 10**6))
    return NetworkTime(f.free("arch"), f.number("ms", 1e-9, _MS), blocks, classes)


def _list(value: Any, where: str) -> list[Any]:
    return Fields({"observations": value}, where).list("observations", 1_000_000)
