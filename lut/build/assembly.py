"""From the units of a build to a table: entries, reconciliation, calibration, interval. Nothing is measured here.

All whole networks serve all three; what they say about new ones comes from tables made without them
(`lut.estimate.cross_validation`). Times have the machine's drift divided out: they are about the machine's quick
moments during the build, and the interval is also about how much those differed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from lut.build.bench import sentinel_archs
from lut.build.checkpoint import Partial
from lut.build.control_drift import speed_spread, usual_error
from lut.build.methods import get_builder
from lut.build.records import NetworkTime, Unit, pool, reference_speed, sampling_error, unit_drifts
from lut.estimate.cross_validation import Networks, correct, held_out_sums
from lut.estimate.reconcile import Refined, Sizes, Timed, refine
from lut.protocols import Floats, Space
from lut.table.classifier import classifiers
from lut.table.entry import Entry
from lut.table.table import LatencyTable, SpaceId
from profilers.base import Options
from profilers.errors import MeasurementFailed
from profilers.timing import plans
from profilers.timing.background_load import BUSY
from profilers.timing.contention import remarks

REJECTED = 0.1  # share of rejected blocks, or of models not timed by the wall clock, of which the build speaks


def assemble(space: Space, options: Options, plan: Mapping[str, Any], partial: Partial, method: str) -> LatencyTable:
    """Pool the units into a table.

    Raises:
        MeasurementFailed: a layer of the space was never observed.
    """
    with threadpool_limits(1, user_api="blas"):  # small matrices
        return _assemble(space, options, plan, partial, method)


def _assemble(space: Space, options: Options, plan: Mapping[str, Any], partial: Partial, method: str) -> LatencyTable:
    entries = pool(partial.units)
    missing = [k for k in dict.fromkeys(layer.key for layer in space.all_layers()) if k not in entries]
    if missing:
        raise MeasurementFailed(f"{len(missing)} layers could not be timed, first {missing[0]}", remedy="build again")
    fit = _reconciler(space, entries, options, partial.units) if get_builder(method).traced else None
    fresh = _fresh(space, _known(space, entries, partial.units))
    refined = None if fit is None else fit(range(len(fresh.ms)), None)
    table = LatencyTable(
        SpaceId.of(space), refined.entries if refined else entries, "measured", method, partial.fingerprint.device,
        options, partial.fingerprint, provenance=_provenance(space, plan, partial.units, refined),
        observations={"units": [u.to_json() for u in partial.units]},
    )  # fmt: skip
    if len(fresh.ms) == 0:
        return table
    # With the sizes that all networks show: five numbers of hundreds, and a search of seconds for each fold
    sums = held_out_sums(fresh, lambda rows: fit(rows, refined.sizes).entries if fit and refined else entries)
    sentinels = [u.sentinels for u in partial.units if not u.layers]
    calibration, interval = correct(
        fresh, sums, usual_error(sentinels), speed=speed_spread(sentinels), calibrate=fit is None
    )
    return replace(table, calibration=calibration, interval=interval)


def whole_networks(table: LatencyTable) -> list[NetworkTime]:
    """The networks measured end to end that a table was fitted to, with the machine's drift divided out."""
    return [
        n
        for n, _ in _networks(
            [Unit.from_json(u, "the table's observations") for u in table.observations.get("units", [])]
        )
    ]


def _reconciler(
    space: Space, entries: dict[str, Entry], options: Options, units: Sequence[Unit]
) -> Callable[[Sequence[int], Sizes | None], Refined]:
    """Entries reconciled with all covering networks that were run untraced, and some of the fresh ones."""
    layers = {layer.key: layer for layer in (*space.all_layers(), *classifiers(space))}
    covers, fresh = (
        [Timed(_keys(space, n), n.ms, group, covers) for n, group in found if n.blocks]
        for covers, found in ((True, _networks(units, covers=True)), (False, _known(space, entries, units)))
    )
    seen: dict[str, list[int]] = {}
    for i, unit in enumerate(units):
        for key, values in unit.layers.items():
            seen.setdefault(key, []).extend([i] * len(values))

    def fit(rows: Sequence[int], sizes: Sizes | None) -> Refined:
        known = covers + [fresh[i] for i in rows]
        return refine(entries, layers, known, options.batch, seen, sizes) if known else Refined(entries, Sizes())

    return fit


def _known(space: Space, entries: Mapping[str, Entry], units: Sequence[Unit]) -> list[tuple[NetworkTime, int]]:
    """The fresh networks without those whose number of classes no cover could time."""
    return [(n, group) for n, group in _networks(units) if entries.keys() >= set(_keys(space, n))]


def _fresh(space: Space, found: Sequence[tuple[NetworkTime, int]]) -> Networks:
    genes = space.encode([space.parse(n.arch) for n, _ in found])
    return Networks(
        [_keys(space, n) for n, _ in found], np.count_nonzero(space.choices(genes), axis=1),
        np.array(space.resolutions)[genes[:, 0] - 1], np.array([g for _, g in found], int),
        np.array([n.ms for n, _ in found]), np.array([sampling_error(n) for n, _ in found]),
    )  # fmt: skip


def _keys(space: Space, network: NetworkTime) -> list[str]:
    return [layer.key for layer in network.layers(space)]


def _networks(units: Sequence[Unit], *, covers: bool = False) -> list[tuple[NetworkTime, int]]:
    """The fresh whole networks (or the covering ones), the machine's drift divided out, with their unit."""
    factors = unit_drifts(units).tolist()
    chosen = [(i, u) for i, u in enumerate(units) if bool(u.layers) == covers]
    return [(replace(n, ms=n.ms / factors[i]), i) for i, u in chosen for n in u.networks]


def _provenance(
    space: Space, plan: Mapping[str, Any], units: Sequence[Unit], refined: Refined | None
) -> dict[str, Any]:
    """Settings and incidents; the raw values are in `observations`."""
    covers = [u for u in units if u.layers]
    blocks, rejected = sum(u.blocks for u in units), sum(u.rejected for u in units)
    facts = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(sum(u.seconds for u in units), 1),
        "plan": dict(plan),
        "estimator": plans.NETWORKS.estimator,
        "speed_spread": speed_spread([u.sentinels for u in units if not u.layers]),
        "covers": len(covers),
        "sentinels": [arch.to_json() for arch in sentinel_archs(space)],
        "sentinels_ms": reference_speed(units),
        "blocks": blocks,
        "rejected_blocks": rejected,
        "tracing_slowdown": float(np.mean([u.slowdown for u in covers])),
        "foreign_time": float(np.mean([u.foreign for u in covers])),
        "fused_layers": sorted({k for u in covers for k in u.fused}),
        "failed": [f for u in units for f in u.failed],
        "refined": refined and refined.sizes._asdict(),
        "other_work_cores": float(np.mean([u.load for u in units])),
        "timed_by_cpu_clock": float(np.mean([u.busy for u in units])),
        "shared_core": float(np.mean([u.shared for u in units])),
    }
    return {**facts, "warnings": _warnings(facts, unit_drifts(units))}


def _warnings(facts: Mapping[str, Any], drift: Floats) -> list[str]:
    load, busy, rejected = facts["other_work_cores"], facts["timed_by_cpu_clock"], facts["rejected_blocks"]
    rejected /= max(facts["blocks"], 1)
    found = []
    if load > BUSY:
        found.append(f"other work used about {load:.1f} cores of this machine during the build")
    if busy > REJECTED:
        found.append(f"{busy:.0%} of the models were so often interrupted that CPU time was taken, not wall time")
    if rejected > REJECTED:
        found.append(f"{rejected:.0%} of the blocks were disturbed and rejected")
    if (spread := float(drift.max() / drift.min() - 1)) > 0.05:
        found.append(f"the machine's speed drifted by {spread:.0%} during the build (divided out)")
    return found + remarks(facts["shared_core"])
