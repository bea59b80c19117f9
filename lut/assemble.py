"""From the units of a build to a table: entries, reconciliation, calibration, interval. Nothing is measured here.

The whole networks are split: every second serves the reconciliation and the calibration, the others only the interval.
The interval is fitted to their times as they were run, with the machine's drift in them, because a user meets it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lut.builders import get_builder
from lut.correction import fit_calibration, fit_interval
from lut.observe import NetworkTime, Unit, pool, unit_drifts, usual_speed
from lut.partial import Partial
from lut.protocols import Genes, Space
from lut.refine import Refined, refine
from lut.table import Entry, LatencyTable, SpaceId
from profilers.base import Options
from profilers.errors import MeasurementFailed

CALIBRATION_EVERY = 2  # of the whole networks; spread over the build, so that all its minutes count
BUSY = 0.5  # other work on the machine, in cores, from which on the build speaks of it
REJECTED = 0.1  # share of rejected blocks from which on the build speaks of it


def assemble(space: Space, options: Options, plan: Mapping[str, Any], partial: Partial, method: str) -> LatencyTable:
    """Pool the units into a table.

    Raises:
        MeasurementFailed: a layer of the space was never observed.
    """
    entries = pool(partial.units)
    missing = [k for k in dict.fromkeys(layer.key for layer in space.all_layers()) if k not in entries]
    if missing:
        raise MeasurementFailed(f"{len(missing)} layers could not be timed, first {missing[0]}", remedy="build again")
    refined = _refined(space, entries, options, partial.units) if get_builder(method).traced else None
    table = LatencyTable(
        SpaceId.of(space), refined.entries if refined else entries, "measured", method, partial.fingerprint.device,
        options, partial.fingerprint, provenance=_provenance(plan, partial.units, refined),
        observations={"units": [u.to_json() for u in partial.units]},
    )  # fmt: skip
    as_run = [n for u in partial.units if not u.layers for n in u.networks]
    return correct(table, space, _networks(partial.units), as_run)


def correct(
    table: LatencyTable, space: Space, steady: Sequence[NetworkTime], as_run: Sequence[NetworkTime]
) -> LatencyTable:
    """Calibrate on every second network where that helps, and fit the interval on the others.

    `steady` and `as_run` are the same networks, without and with the machine's drift.
    """
    if not steady:
        return table
    genes = genes_of(space, steady)
    measured, drifted = (np.array([n.ms for n in x]) for x in (steady, as_run))
    first = np.arange(len(steady)) % CALIBRATION_EVERY == 0
    sums, layers = table.bind(space).sums(genes), np.count_nonzero(space.choices(genes), axis=1)
    pixels = np.array(space.resolutions)[genes[:, 0] - 1]
    fitted = fit_calibration(sums[first], layers[first], pixels[first], measured[first])
    table = replace(table, calibration=fitted)
    predicted = table.bind(space).predict(genes[~first]).ms
    return replace(table, interval=fit_interval(predicted, drifted[~first]))


def _refined(space: Space, entries: dict[str, Entry], options: Options, units: Sequence[Unit]) -> Refined | None:
    """Entries reconciled with the covering networks and those of the calibration, not with those of the interval."""
    networks = _networks(units, covers=True) + _networks(units)[::CALIBRATION_EVERY]
    if not networks:
        return None
    walked = [([layer.key for layer in space.layers(space.parse(n.arch))], n.ms) for n in networks]
    return refine(entries, {layer.key: layer for layer in space.all_layers()}, walked, options.batch)


def genes_of(space: Space, networks: Sequence[NetworkTime]) -> Genes:
    """(n, n_genes) of stored networks."""
    return space.encode([space.parse(n.arch) for n in networks])


def _networks(units: Sequence[Unit], *, covers: bool = False) -> list[NetworkTime]:
    """The fresh whole networks (or the covering ones), with the machine's drift divided out."""
    factors = unit_drifts(units)
    pairs = [
        (n, f) for u, f in zip(units, factors.tolist(), strict=True) if bool(u.layers) == covers for n in u.networks
    ]
    return [replace(n, ms=n.ms / f) for n, f in pairs]


def _provenance(plan: Mapping[str, Any], units: Sequence[Unit], refined: Refined | None) -> dict[str, Any]:
    """Settings and incidents; the raw values are in `observations`."""
    covers = [u for u in units if u.layers]
    blocks, rejected = sum(u.blocks for u in units), sum(u.rejected for u in units)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(sum(u.seconds for u in units), 1),
        "plan": dict(plan),
        "covers": len(covers),
        "sentinels_ms": usual_speed(units),
        "blocks": blocks,
        "rejected_blocks": rejected,
        "tracing_slowdown": float(np.mean([u.slowdown for u in covers])),
        "foreign_time": float(np.mean([u.foreign for u in covers])),
        "fused_layers": sorted({k for u in covers for k in u.fused}),
        "failed": [f for u in units for f in u.failed],
        "refined": refined
        and {"feature": refined.feature_size, "layer": refined.layer_size, "noise": refined.noise_size},
        "warnings": _warnings(units, rejected / max(blocks, 1)),
    }


def _warnings(units: Sequence[Unit], rejected: float) -> list[str]:
    drift, load = unit_drifts(units), float(np.median([u.load for u in units]))
    found = []
    if load > BUSY:
        found.append(f"other work used about {load:.1f} cores of this machine during the build")
    if rejected > REJECTED:
        found.append(f"{rejected:.0%} of the blocks were disturbed and rejected")
    if (spread := float(drift.max() / drift.min() - 1)) > 0.05:
        found.append(f"the machine's speed drifted by {spread:.0%} during the build (divided out)")
    return found
