"""Building a latency table: covers of the space, then fresh whole networks for calibration and interval.

A build is a list of units, each saved when it is done: pass p over resolution r, then groups of networks. Whatever is
killed goes on behind the last saved unit, with the same networks, since every unit's seed follows from its name.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lut.bench import TOGETHER, Bench, network_time, open_bench, require
from lut.builders import Builder, get_builder
from lut.correction import fit_calibration, fit_interval
from lut.drift import drifts, usual_times
from lut.observe import NetworkTime, Unit, pool, relative_errors
from lut.partial import Partial
from lut.protocols import Genes, Space, Writer
from lut.store import save
from lut.table import LatencyTable, SpaceId
from profilers.base import Options, Profiler, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from profilers.fingerprint import fingerprint
from profilers.progress import Progress, track

NETWORKS = TimingPlan(min_rounds=15, max_rounds=30, relative_interval=0.03, warmup_runs=3)
CALIBRATION_EVERY = 3  # of the whole networks; spread over the build, so that all its minutes count
BUSY = 0.5  # other work on the machine, in cores, from which on the build speaks of it
REJECTED = 0.1  # share of rejected blocks from which on the build speaks of it


@dataclass(frozen=True)
class BuildPlan:
    """How much is measured.

    passes: most covers of the whole space.  target: median relative standard error of a layer that is good enough to
    stop.  networks: whole networks measured after the layers; every third calibrates, the others give the interval.
    budget_seconds: after the first pass no unit is begun that would exceed it; None for no limit.
    """

    passes: int = 3
    target: float = 0.005
    networks: int = 72
    budget_seconds: float | None = 150.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1 or self.networks < 0:
            raise BadInput(f"{self.passes} passes, {self.networks} networks", "1 pass or more, 0 networks or more")

    @property
    def groups(self) -> list[slice]:
        """Rows of the networks that are timed together."""
        return [slice(i, min(i + TOGETHER, self.networks)) for i in range(0, self.networks, TOGETHER)]


def build(
    space: Space, to_onnx: Writer, profiler: Profiler, options: Options | None = None, *, out: Path,
    method: str = "in-context", plan: BuildPlan | None = None, force: bool = False,
) -> LatencyTable:  # fmt: skip
    """Measure a latency table and save it to `out`; continues an interrupted build of the same kind.

    Args:
        space: whose layers, at its resolutions.
        to_onnx: writes the ONNX model of layers.
        profiler: the runtime.
        options: threads, precision, batch.
        out: the table's file; `out`.partial holds what is done.
        method: a key of `lut.builders.BUILDERS`.
        plan: how much is measured.
        force: drop an interrupted build of another device or other settings and start afresh.

    Raises:
        EngineUnavailable: the runtime does not work here, or has no per-node times and the method needs them.
        FingerprintMismatch: an interrupted build of another device or other settings, and not `force`.
        MeasurementFailed: layers that could not be timed.
    """
    options, plan, builder = options or Options(), plan or BuildPlan(), get_builder(method)
    if builder.traced and not profiler.traces:
        raise EngineUnavailable(f"{profiler.name} has no per-node times", remedy="--method isolated")
    settings = {"space": _plain(SpaceId.of(space)), "method": method, "seed": plan.seed}
    partial = Partial.open(out, settings, fingerprint(profiler, options), force=force)
    steps = plan.passes * len(space.resolutions) + len(plan.groups)
    with (
        track(steps, f"latency table ({method})", done=len(partial.units)) as bar,
        open_bench(space, to_onnx, profiler, options, bar) as bench,
    ):
        _cover(bench, builder, plan, partial, bar)
        _measure_networks(bench, plan, partial, bar)
    table = assemble(space, options, plan, partial, method)
    save(table, out)
    partial.remove()
    return table


def assemble(space: Space, options: Options, plan: BuildPlan, partial: Partial, method: str) -> LatencyTable:
    """Pool the units into a table; pure.

    Raises:
        MeasurementFailed: a layer of the space was never observed.
    """
    entries = pool([u for u in partial.units if u.layers])
    missing = [k for k in dict.fromkeys(layer.key for layer in space.all_layers()) if k not in entries]
    if missing:
        raise MeasurementFailed(f"{len(missing)} layers could not be timed, first {missing[0]}", remedy="build again")
    table = LatencyTable(
        SpaceId.of(space), entries, "measured", method, partial.fingerprint.device, options, partial.fingerprint,
        provenance=_provenance(plan, partial.units), observations={"units": [u.to_json() for u in partial.units]},
    )  # fmt: skip
    return correct(table, space, _networks(partial.units))


def correct(table: LatencyTable, space: Space, networks: Sequence[NetworkTime]) -> LatencyTable:
    """Calibrate on every third network where that helps, and fit the interval on the others."""
    if not networks:
        return table
    genes, measured = genes_of(space, networks), np.array([n.ms for n in networks])
    first = np.arange(len(networks)) % CALIBRATION_EVERY == 0
    sums, layers = table.bind(space).sums(genes), np.count_nonzero(space.choices(genes), axis=1)
    pixels = np.array(space.resolutions)[genes[:, 0] - 1]
    fitted = fit_calibration(sums[first], layers[first], pixels[first], measured[first])
    table = replace(table, calibration=fitted)
    predicted = table.bind(space).predict(genes[~first]).ms
    return replace(table, interval=fit_interval(predicted, measured[~first]))


def genes_of(space: Space, networks: Sequence[NetworkTime]) -> Genes:
    """(n, n_genes) of stored networks."""
    return space.encode([space.parse(n.arch) for n in networks])


def _cover(bench: Bench, builder: Builder, plan: BuildPlan, partial: Partial, bar: Progress) -> None:
    for number, resolution, name in _units(bench.space, plan):
        if partial.has(name):
            continue
        if number > 0 and _enough(plan, partial.units):
            return
        bar.note(f"{name}{_precision(partial.units)}")
        unit = replace(builder.measure(bench, resolution, _seed(plan, name)), name=name)
        partial.add(_noting_load(unit, bench.options))


def _units(space: Space, plan: BuildPlan) -> Iterator[tuple[int, int, str]]:
    """(pass, resolution, name); each pass takes the resolutions in an order of its own."""
    for number in range(plan.passes):
        order = np.random.default_rng([plan.seed, number]).permutation(len(space.resolutions))
        for i in order:
            yield number, space.resolutions[i], f"pass {number + 1}, {space.resolutions[i]} px"


def _enough(plan: BuildPlan, units: Sequence[Unit]) -> bool:
    """Whether the layers are known well enough, or the time that is left is needed for the networks."""
    if float(np.median(relative_errors(pool(units)))) <= plan.target:
        return True
    if plan.budget_seconds is None:
        return False
    spent, longest = sum(u.seconds for u in units), max(u.seconds for u in units)
    return spent + longest * (1 + len(plan.groups)) > plan.budget_seconds


def _measure_networks(bench: Bench, plan: BuildPlan, partial: Partial, bar: Progress) -> None:
    genes = bench.space.sample(plan.networks, np.random.default_rng(_seed(plan, "networks")))
    archs = bench.space.decode(genes)
    for i, rows in enumerate(plan.groups):
        name = f"networks {i + 1}"
        if partial.has(name):
            continue
        bar.note(name)
        started = time.monotonic()
        timed = bench.networks(genes[rows], NETWORKS, _seed(plan, name))
        require(timed, "whole networks")
        done = [network_time(archs[rows][int(k)], s) for k, s in timed.samples.items()]
        unit = Unit(name, {}, done, timed.sentinels, time.monotonic() - started, timed.blocks, timed.rejected)
        partial.add(_noting_load(unit, bench.options))


def _networks(units: Sequence[Unit]) -> list[NetworkTime]:
    """The whole networks, with the machine's drift divided out."""
    factors = drifts([u.sentinels for u in units])
    pairs = [(n, f) for u, f in zip(units, factors.tolist(), strict=True) if not u.layers for n in u.networks]
    return [replace(n, ms=n.ms / f) for n, f in pairs]


def _noting_load(unit: Unit, options: Options) -> Unit:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return replace(unit, load=max(load - options.threads, 0.0))


def _provenance(plan: BuildPlan, units: Sequence[Unit]) -> dict[str, Any]:
    """Settings and incidents; the raw values are in `observations`."""
    covers = [u for u in units if u.layers]
    blocks, rejected = sum(u.blocks for u in units), sum(u.rejected for u in units)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(sum(u.seconds for u in units), 1),
        "plan": asdict(plan),
        "covers": len(covers),
        "sentinels_ms": usual_times([u.sentinels for u in units]).tolist(),
        "blocks": blocks,
        "rejected_blocks": rejected,
        "tracing_slowdown": float(np.mean([u.slowdown for u in covers])),
        "foreign_time": float(np.mean([u.foreign for u in covers])),
        "fused_layers": sorted({k for u in covers for k in u.fused}),
        "failed": [f for u in units for f in u.failed],
        "warnings": _warnings(units, rejected / max(blocks, 1)),
    }


def _warnings(units: Sequence[Unit], rejected: float) -> list[str]:
    drift, load = drifts([u.sentinels for u in units]), float(np.median([u.load for u in units]))
    found = []
    if load > BUSY:
        found.append(f"other work used about {load:.1f} cores of this machine during the build")
    if rejected > REJECTED:
        found.append(f"{rejected:.0%} of the blocks were disturbed and rejected")
    if (spread := float(drift.max() / drift.min() - 1)) > 0.05:
        found.append(f"the machine's speed drifted by {spread:.0%} during the build (divided out)")
    return found


def _precision(units: Sequence[Unit]) -> str:
    covers = [u for u in units if u.layers]
    return f", layers known to {float(np.median(relative_errors(pool(covers)))):.1%}" if covers else ""


def _seed(plan: BuildPlan, name: str) -> int:
    return zlib.crc32(f"{plan.seed} {name}".encode())


def _plain(value: SpaceId) -> dict[str, Any]:
    return {**asdict(value), "resolutions": list(value.resolutions)}
