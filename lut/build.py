"""Building a latency table: covers of the space, then fresh whole networks for calibration and interval.

A build is a list of units, each saved when it is done: pass p over resolution r, then groups of networks. Whatever is
killed goes on behind the last saved unit, with the same networks, since every unit's seed follows from its name.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lut.assemble import assemble
from lut.bench import TOGETHER, Bench, network_time, open_bench, require
from lut.builders import Builder, get_builder
from lut.observe import Unit, pool, relative_errors
from lut.partial import Partial
from lut.protocols import Space, Writer
from lut.store import save
from lut.table import LatencyTable, SpaceId
from profilers.base import Options, Profiler, TimingPlan
from profilers.errors import BadInput, EngineUnavailable
from profilers.fingerprint import fingerprint
from profilers.progress import Progress, track

NETWORKS = TimingPlan(min_rounds=15, max_rounds=30, relative_interval=0.03, warmup_runs=3)
LEAST_GROUPS = 3  # of networks: 27 for the calibration, 27 for the interval


@dataclass(frozen=True)
class BuildPlan:
    """How much is measured.

    passes: most covers of the whole space.  target: median relative standard error of a layer that is good enough to
    stop.  networks: whole networks measured after the layers; every second calibrates, the others give the
    interval.  budget_seconds: no unit beyond the first pass and `LEAST_GROUPS` groups of networks is begun that would
    exceed it; None for no limit.
    """

    passes: int = 3
    target: float = 0.005
    networks: int = 90
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
    table = assemble(space, options, asdict(plan), partial, method)
    save(table, out)
    partial.remove()
    return table


def _cover(bench: Bench, builder: Builder, plan: BuildPlan, partial: Partial, bar: Progress) -> None:
    units = list(_units(bench.space, plan))
    for i, (number, resolution, name) in enumerate(units):
        if partial.has(name):
            continue
        if number > 0 and _enough(plan, partial.units):
            bar.spare(len(units) - i)
            return
        bar.note(f"{name}{_precision(partial.units)}")
        done = builder.measure(bench, resolution, _seed(plan, name), earlier=_covers(partial.units))
        partial.add(replace(done, name=name))


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
    return _exceeded(plan, units, 1 + len(plan.groups))


def _exceeded(plan: BuildPlan, units: Sequence[Unit], more: int) -> bool:
    """Whether `more` units would exceed the budget."""
    spent, usual = sum(u.seconds for u in units), float(np.median([u.seconds for u in units]))
    return plan.budget_seconds is not None and spent + usual * more > plan.budget_seconds


def _measure_networks(bench: Bench, plan: BuildPlan, partial: Partial, bar: Progress) -> None:
    genes = bench.space.sample(plan.networks, np.random.default_rng(_seed(plan, "networks")))
    archs = bench.space.decode(genes)
    for i, rows in enumerate(plan.groups):
        name = f"networks {i + 1}"
        if partial.has(name):
            continue
        if i >= LEAST_GROUPS and _exceeded(plan, partial.units, 1):
            return
        bar.note(name)
        started = time.monotonic()
        timed = bench.networks(genes[rows], NETWORKS, _seed(plan, name))
        require(timed, "whole networks")
        done = [network_time(archs[rows][int(k)], s) for k, s in timed.samples.items()]
        seconds = time.monotonic() - started
        partial.add(
            Unit(
                name, {}, done, timed.sentinels, seconds, timed.blocks, timed.rejected, load=timed.load, busy=timed.busy
            )
        )


def _precision(units: Sequence[Unit]) -> str:
    covers = _covers(units)
    return f", layers known to {float(np.median(relative_errors(pool(covers)))):.1%}" if covers else ""


def _covers(units: Sequence[Unit]) -> list[Unit]:
    return [u for u in units if u.layers]


def _seed(plan: BuildPlan, name: str) -> int:
    return zlib.crc32(f"{plan.seed} {name}".encode())


def _plain(value: SpaceId) -> dict[str, Any]:
    return {**asdict(value), "resolutions": list(value.resolutions)}
