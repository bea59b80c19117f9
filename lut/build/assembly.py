"""From the batches of a build to a table: entries, reconciliation, calibration, interval. Nothing is measured here.

Networks measured end to end serve all three; what they say about new ones comes from tables made without them
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

from lut.build.bench import control_archs
from lut.build.checkpoint import Checkpoint
from lut.build.methods import get_builder
from lut.build.records import (
    MeasuredNetwork,
    MeasurementBatch,
    aggregate,
    batch_drifts,
    reference_speed,
)
from lut.estimate.cross_validation import correct, held_out_sums
from lut.estimate.networks import Networks
from lut.estimate.reconcile import Reconciled, Sizes, reconcile
from lut.protocols import Floats, Space
from lut.table.classifier import classifiers
from lut.table.entry import Entry
from lut.table.fields import checked
from lut.table.table import LatencyTable, SpaceId
from profilers.base import Options
from profilers.errors import MeasurementFailed
from profilers.timing.background_load import BUSY
from profilers.timing.conditions import merged
from profilers.timing.contention import remarks
from profilers.timing.control_drift import speed_spread, usual_error

REJECTED = 0.1  # share of rejected blocks, or of models not timed by the wall clock, from which on the build warns
DRIFTED = 0.05  # change of speed within a build from which on it warns
InGroup = tuple[MeasuredNetwork, int]  # a network, and the batch in which it was timed
Fit = Callable[[Sequence[int], Sizes | None], Reconciled]


def assemble(space: Space, options: Options, plan: Mapping[str, Any], done: Checkpoint, method: str) -> LatencyTable:
    """Aggregate the batches into a table.

    Raises:
        MeasurementFailed: a layer of the space was never observed.
    """
    with threadpool_limits(1, user_api="blas"):  # small matrices
        return _assemble(space, options, plan, done, method)


def _assemble(space: Space, options: Options, plan: Mapping[str, Any], done: Checkpoint, method: str) -> LatencyTable:
    entries = aggregate(done.batches)
    _require_all(space, entries)
    fresh = _arrays(space, _known(space, entries, done.batches))
    fit = _reconciler(space, entries, options, done.batches, fresh) if get_builder(method).traced else None
    reconciled = None if fit is None else fit(range(len(fresh)), None)
    table = LatencyTable(
        SpaceId.of(space),
        reconciled.entries if reconciled else entries,
        "measured",
        method,
        done.fingerprint.device,
        options,
        done.fingerprint,
        provenance=_provenance(space, plan, done.batches, reconciled),
        observations={"batches": [b.to_json() for b in done.batches]},
    )
    return table if len(fresh) == 0 else _with_interval(table, entries, fresh, done.batches, fit, reconciled)


def _with_interval(
    table: LatencyTable,
    entries: Mapping[str, Entry],
    fresh: Networks,
    batches: Sequence[MeasurementBatch],
    fit: Fit | None,
    reconciled: Reconciled | None,
) -> LatencyTable:
    """With the calibration and the interval that networks unseen by the table give."""

    def without(rows: Sequence[int]) -> Mapping[str, Entry]:
        """Entries from these rows only; the sizes are fitted once, on all: a search of seconds for five numbers."""
        return fit(rows, reconciled.sizes).entries if fit and reconciled else entries

    controls = [b.controls_ms for b in batches if not b.is_cover]
    calibration, interval = correct(
        fresh,
        held_out_sums(fresh, without),
        usual_error(controls),
        speed=speed_spread(controls),
        calibrate=fit is None,
    )
    return replace(table, calibration=calibration, interval=interval)


def end_to_end_networks(table: LatencyTable) -> list[MeasuredNetwork]:
    """The networks measured end to end that a table was fitted to, with the machine's drift divided out.

    Raises:
        TableError: observations that no build wrote.
    """
    where = "the table's observations"
    stored = checked(list[Any], table.observations.get("batches", []), f"{where}: batches")
    return [n for n, _ in _networks([MeasurementBatch.from_json(b, where) for b in stored])]


def _require_all(space: Space, entries: Mapping[str, Entry]) -> None:
    missing = [k for k in dict.fromkeys(layer.key for layer in space.all_layers()) if k not in entries]
    if missing:
        raise MeasurementFailed(f"{len(missing)} layers could not be timed, first {missing[0]}", remedy="build again")


def _reconciler(
    space: Space, entries: dict[str, Entry], options: Options, batches: Sequence[MeasurementBatch], fresh: Networks
) -> Fit:
    """Entries reconciled with all covering networks that were run untraced, and some of the fresh ones."""
    layers = {layer.key: layer for layer in (*space.all_layers(), *classifiers(space))}
    untraced = [(n, batch) for n, batch in _networks(batches, covers=True) if n.measurement.blocks]
    covers = _arrays(space, untraced, cover=True)
    seen: dict[str, list[int]] = {}
    for i, batch in enumerate(batches):
        for key, values in batch.layers.items():
            seen.setdefault(key, []).extend([i] * len(values))

    def fit(rows: Sequence[int], sizes: Sizes | None) -> Reconciled:
        known = covers.joined(fresh.rows(rows))
        if len(known) == 0:
            return Reconciled(entries, Sizes())
        return reconcile(entries, layers, known, options.batch, seen, sizes)

    return fit


def _known(space: Space, entries: Mapping[str, Entry], batches: Sequence[MeasurementBatch]) -> list[InGroup]:
    """The fresh networks without those whose number of classes no cover could time."""
    return [(n, group) for n, group in _networks(batches) if entries.keys() >= set(_keys(space, n))]


def _arrays(space: Space, found: Sequence[InGroup], *, cover: bool = False) -> Networks:
    genes = space.encode([space.parse(n.arch) for n, _ in found])
    return Networks(
        keys=[_keys(space, n) for n, _ in found],
        ms=np.array([n.measurement.ms for n, _ in found]),
        group=np.array([group for _, group in found], int),
        slots=np.count_nonzero(space.choices(genes), axis=1),
        pixels=np.array(space.resolutions)[genes[:, 0] - 1],
        cover=np.full(len(found), cover),
    )


def _keys(space: Space, network: MeasuredNetwork) -> list[str]:
    return [layer.key for layer in network.layers(space)]


def _networks(batches: Sequence[MeasurementBatch], *, covers: bool = False) -> list[InGroup]:
    """The fresh networks (or the covering ones), the machine's drift divided out, with their batch."""
    factors = batch_drifts(batches).tolist()
    chosen = [(i, b) for i, b in enumerate(batches) if b.is_cover == covers]
    return [(replace(n, measurement=n.measurement.divided(factors[i])), i) for i, b in chosen for n in b.networks]


def _provenance(
    space: Space, plan: Mapping[str, Any], batches: Sequence[MeasurementBatch], reconciled: Reconciled | None
) -> dict[str, Any]:
    """Settings and incidents; the raw values are in `observations`."""
    covers = [b for b in batches if b.is_cover]
    facts = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(sum(b.seconds for b in batches), 1),
        "plan": dict(plan),
        "estimator": batches[0].estimator,
        "speed_spread": speed_spread([b.controls_ms for b in batches if not b.is_cover]),
        "covers": len(covers),
        "controls": [arch.to_json() for arch in control_archs(space)],
        "controls_ms": reference_speed(batches),
        "blocks": sum(b.blocks for b in batches),
        "rejected_blocks": sum(b.rejected for b in batches),
        "tracing_slowdown": float(np.mean([b.slowdown for b in covers])),
        "unattributed_fraction": float(np.mean([b.unattributed_fraction for b in covers])),
        "fused_layers": sorted({k for b in covers for k in b.fused}),
        "failed": [f for b in batches for f in b.failed],
        "reconciled": reconciled and reconciled.sizes._asdict(),
        "background_load_cores": float(np.mean([b.background_load for b in batches])),
        "cpu_clock_fraction": float(np.mean([b.cpu_clock_fraction for b in batches])),
        "contended_fraction": float(np.mean([b.contended_fraction for b in batches])),
    }
    conditions = merged([b.conditions for b in batches])
    told = {"conditions": conditions.to_json()} if conditions.told else {}
    return {**facts, **told, "warnings": _warnings(facts, batch_drifts(batches)) + conditions.remarks()}


def _warnings(facts: Mapping[str, Any], drift: Floats) -> list[str]:
    load, by_cpu = facts["background_load_cores"], facts["cpu_clock_fraction"]
    rejected = facts["rejected_blocks"] / max(facts["blocks"], 1)
    found = []
    if load > BUSY:
        found.append(f"other processes used about {load:.1f} cores of this machine during the build")
    if by_cpu > REJECTED:
        found.append(f"{by_cpu:.0%} of the models were so often interrupted that CPU time was taken, not wall time")
    if rejected > REJECTED:
        found.append(f"{rejected:.0%} of the blocks were disturbed and rejected")
    if (spread := float(drift.max() / drift.min() - 1)) > DRIFTED:
        found.append(f"the machine's speed drifted by {spread:.0%} during the build (divided out)")
    return found + remarks(facts["contended_fraction"])
