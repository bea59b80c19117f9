"""Building a latency table: covers of the space, and among them fresh networks end to end, for scale and interval.

A build is a list of steps, each saved when it is done: a cover of a resolution, or a group of networks. Whatever is
killed goes on behind the last saved step, with the same networks, since every step's seed follows from its name.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from lut.build.assembly import assemble
from lut.build.bench import N_CONTROLS, Bench, Network, Workbench, open_bench
from lut.build.checkpoint import Checkpoint
from lut.build.finished import finished, plain_space
from lut.build.methods import Builder, get_builder
from lut.build.records import MeasuredNetwork, MeasurementBatch, batch_of
from lut.build.schedule import BuildPlan, Step, covers, due, layers_error, steps_of
from lut.protocols import Genes, Space
from lut.table.classifier import spread_classes
from lut.table.store import save
from lut.table.table import LatencyTable, SpaceId
from profilers.interruption import leaving
from profilers.locks import alone
from profilers.progress import Progress, track
from profilers.timing import plans
from profilers.timing.fingerprint import fingerprint


def build(
    workbench: Workbench, *, out: Path, method: str = "in-context", plan: BuildPlan | None = None, resume: bool = True,
    fresh: bool = False,
) -> LatencyTable:  # fmt: skip
    """Measure a latency table and save it to `out`; continues what was interrupted, keeps a table of the same build.

    Args:
        workbench: the space, whose layers are measured at its resolutions; the runtime and its options.
        out: the table's file; `out`.partial holds what is done.
        method: a key of `lut.build.methods.BUILDERS`.
        plan: how much is measured.
        resume: False to refuse a table, or a part of one, that is there.
        fresh: build anew whatever table is there; it is replaced when the new one is whole.

    Raises:
        EngineUnavailable: the runtime does not work here, or has no per-node times and the method needs them.
        FingerprintMismatch: a table or an interrupted build of another device or other settings, and not `fresh`.
        MeasurementFailed: layers that could not be timed.
    """
    plan, builder = plan or BuildPlan(), get_builder(method)
    space, options, profiler = workbench.space, workbench.options, workbench.profiler.with_build_cache(out)
    if builder.traced:
        profiler.require_layers(options)
    settings = {"space": plain_space(SpaceId.of(space)), "method": method, "seed": plan.seed, "controls": N_CONTROLS}
    with alone(out, "is building"):
        done = Checkpoint.open(out, settings, fingerprint(profiler, options), resume=resume, fresh=fresh)
        with leaving(done.kept):
            there = finished(done, out, asdict(plan), resume=resume, fresh=fresh)
            return there or _built(replace(workbench, profiler=profiler), builder, plan, done, out)


def _built(workbench: Workbench, builder: Builder, plan: BuildPlan, done: Checkpoint, out: Path) -> LatencyTable:
    """Measure what is left, and write the table."""
    method, steps = str(done.settings["method"]), steps_of(workbench.space, plan)
    with (
        track(len(steps), f"latency table ({method})", done=len(done.batches)) as bar,
        open_bench(workbench, bar) as bench,
    ):
        _work(bench, builder, plan, steps, done, bar)
    table = assemble(workbench.space, workbench.options, asdict(plan), done, method)
    save(table, out)
    done.remove()
    return table


def _work(
    bench: Bench, builder: Builder, plan: BuildPlan, steps: Sequence[Step], done: Checkpoint, bar: Progress
) -> None:
    for step in due(steps, plan, done, bar):
        bar.note(f"{step.name}{_precision(done.batches)}")
        done.add(measure_step(bench, builder, plan, step, done.batches))


def measure_step(
    bench: Bench, builder: Builder, plan: BuildPlan, step: Step, earlier: Sequence[MeasurementBatch]
) -> MeasurementBatch:
    """One step of a build, measured: layers of a cover, or networks end to end; its seed follows from its name."""
    seed = _seed(plan, step.name)
    if step.rows is None:
        cover = partial(builder.measure, bench, step.resolution, seed, earlier=covers(earlier))
        return replace(bench.measuring.place.unit(cover), name=step.name)
    genes = spread_networks(bench.space, plan.networks, _seed(plan, "networks"))[step.rows]
    return time_networks(bench, genes, step.name, seed)


def spread_networks(space: Space, n: int, seed: int) -> Genes:
    """(n, n_genes) random networks, of which any that follow each other share the resolutions evenly among them.

    What a cover has wrong as a whole only networks of its resolution tell, and chance leaves some with none.
    """
    rng = np.random.default_rng(seed)
    genes = space.sample(n, rng)
    every = len(space.resolutions)
    genes[:, 0] = 1 + np.concatenate([rng.permutation(every) for _ in range(-(-n // every))])[:n]
    return genes


def time_networks(bench: Bench, genes: Genes, name: str, seed: int) -> MeasurementBatch:
    """Networks of several numbers of classes, timed together; MeasurementFailed if most of them cannot be."""
    started = time.monotonic()
    classes = spread_classes(bench.space, len(genes), seed)
    networks = {n.id: n for n in map(Network, bench.space.decode(genes), classes)}
    group = bench.networks(list(networks.values()), plans.NETWORKS, seed)
    group.require("networks")
    stored = [MeasuredNetwork.of(networks[key], found) for key, found in group.measured.items()]
    return batch_of(name, group, stored, time.monotonic() - started)


def _precision(batches: Sequence[MeasurementBatch]) -> str:
    return f", layers known to {layers_error(batches):.1%}" if covers(batches) else ""


def _seed(plan: BuildPlan, name: str) -> int:
    return zlib.crc32(f"{plan.seed} {name}".encode())
