"""Building a latency table: covers of the space, and among them fresh whole networks for level and interval.

A build is a list of units, each saved when it is done: pass p over resolution r, or a group of networks. Whatever is
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

from lut.build.assembly import assemble
from lut.build.bench import SENTINELS, TOGETHER, Bench, network_time, open_bench, require, spread
from lut.build.checkpoint import Partial
from lut.build.methods import Builder, get_builder
from lut.build.records import Unit, pool, relative_errors
from lut.protocols import Genes, Space, Writer
from lut.table.classifier import spread_classes
from lut.table.store import save
from lut.table.table import LatencyTable, SpaceId
from profilers.base import Options, Profiler
from profilers.errors import BadInput, EngineUnavailable, check_least
from profilers.progress import Progress, track
from profilers.timing import plans
from profilers.timing.fingerprint import fingerprint

LEAST_GROUPS = 3  # of whole networks: each is a minute's mood, and the table's level is their mean


@dataclass(frozen=True)
class BuildPlan:
    """How much is measured.

    passes: most covers of the whole space.  target: median relative standard error of a layer that is good enough to
    stop.  networks: most whole networks, for reconciliation, calibration and interval
    (`lut.estimate.cross_validation`).
    budget_seconds: no unit beyond the first pass and `LEAST_GROUPS` groups of networks is begun that would exceed it;
    None for no limit.
    """

    passes: int = 3
    target: float = 0.005
    networks: int = 360
    budget_seconds: float | None = 240.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1 or self.networks < 0:
            raise BadInput(f"{self.passes} passes, {self.networks} networks", "1 pass or more, 0 networks or more")
        check_least(0, seed=self.seed, budget_seconds=self.budget_seconds or 0.0)

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
        method: a key of `lut.build.methods.BUILDERS`.
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
    profiler = profiler.with_build_cache(out)
    settings = {"space": _plain(SpaceId.of(space)), "method": method, "seed": plan.seed, "sentinels": SENTINELS}
    partial = Partial.open(out, settings, fingerprint(profiler, options), force=force)
    steps = list(_steps(space, plan))
    with (
        track(len(steps), f"latency table ({method})", done=len(partial.units)) as bar,
        open_bench(space, to_onnx, profiler, options, bar) as bench,
    ):
        _work(bench, builder, plan, steps, partial, bar)
    table = assemble(space, options, asdict(plan), partial, method)
    save(table, out)
    partial.remove()
    return table


@dataclass(frozen=True)
class _Step:
    """A cover of a resolution, or a group of whole networks (rows of the plan's); `must` be done whatever it takes."""

    name: str
    must: bool
    resolution: int = 0
    rows: slice | None = None


def _steps(space: Space, plan: BuildPlan) -> Iterator[_Step]:
    """All of them in order: groups of networks among the covers, so that both see the same minutes of the machine."""
    covers = [[_Step(f"pass {p + 1}, {r} px", p == 0, r) for r in _order(space, plan, p)] for p in range(plan.passes)]
    groups = [_Step(f"networks {i + 1}", i < LEAST_GROUPS, rows=rows) for i, rows in enumerate(plan.groups)]
    yield from spread(covers[0], groups[:LEAST_GROUPS], at=1.0)
    # further covers last: s.d. of a table's errors (`mbv3`, ONNX Runtime) .86 % with one cover and 3 groups, .68 with
    # 10 groups, .62 with 10 groups and 7 resolutions of a second cover
    yield from groups[LEAST_GROUPS:]
    yield from (step for some in covers[1:] for step in some)


def _order(space: Space, plan: BuildPlan, number: int) -> list[int]:
    """The resolutions in an order of each pass's own."""
    return [
        space.resolutions[i] for i in np.random.default_rng([plan.seed, number]).permutation(len(space.resolutions))
    ]


def _work(
    bench: Bench, builder: Builder, plan: BuildPlan, steps: Sequence[_Step], partial: Partial, bar: Progress
) -> None:
    for step in _due(steps, plan, partial, bar):
        bar.note(f"{step.name}{_precision(partial.units)}")
        if step.rows is None:
            done = builder.measure(bench, step.resolution, _seed(plan, step.name), earlier=_covers(partial.units))
            partial.add(replace(done, name=step.name))
        else:
            genes = spread_networks(bench.space, plan.networks, _seed(plan, "networks"))[step.rows]
            partial.add(time_networks(bench, genes, step.name, _seed(plan, step.name)))


def _due(steps: Sequence[_Step], plan: BuildPlan, partial: Partial, bar: Progress) -> Iterator[_Step]:
    """The steps to be done, decided one by one; the bar's total leaves out what will not be, as far as is known."""
    left = [step for step in steps if not partial.has(step.name)]
    counted = len(left)
    while True:
        due = _affordable(left, plan, partial.units)
        bar.reduce_total(counted - len(due))
        if not due:
            return
        yield due[0]
        left = left[left.index(due[0]) + 1 :]
        counted = len(due) - 1


def _affordable(steps: Sequence[_Step], plan: BuildPlan, units: Sequence[Unit]) -> list[_Step]:
    """Of the steps left those to be done: they must be, or fit the budget and, if covers, layers are not known yet."""
    known = bool(_covers(units)) and _layers_error(units) <= plan.target
    spent, usual = sum(u.seconds for u in units), {cover: _usual_seconds(cover, units) for cover in (True, False)}
    found = []
    for step in steps:
        cover = step.rows is None
        late = plan.budget_seconds is not None and spent + usual[cover] > plan.budget_seconds
        if step.must or not (late or (cover and known)):
            found.append(step)
            spent += usual[cover]
    return found


def _usual_seconds(cover: bool, units: Sequence[Unit]) -> float:
    """What a cover, or a group of networks, took so far; while there is none, what the others took, or 0."""
    alike = [u.seconds for u in units if bool(u.layers) == cover] or [u.seconds for u in units]
    return float(np.median(alike)) if alike else 0.0


def spread_networks(space: Space, n: int, seed: int) -> Genes:
    """(n, n_genes) random networks, of which any that follow each other share the resolutions evenly among them.

    What a cover has wrong as a whole only networks of its resolution tell, and chance leaves some with none.
    """
    rng = np.random.default_rng(seed)
    genes = space.sample(n, rng)
    every = len(space.resolutions)
    genes[:, 0] = 1 + np.concatenate([rng.permutation(every) for _ in range(-(-n // every))])[:n]
    return genes


def time_networks(bench: Bench, genes: Genes, name: str, seed: int) -> Unit:
    """Whole networks of several numbers of classes, timed together; MeasurementFailed if most of them cannot be."""
    started = time.monotonic()
    classes = spread_classes(bench.space, len(genes), seed)
    timed = bench.networks(genes, plans.NETWORKS, seed, classes)
    require(timed, "whole networks")
    archs = bench.space.decode(genes)
    done = [network_time(archs[int(k)], s, classes[int(k)]) for k, s in timed.samples.items()]
    return Unit(
        name, {}, done, timed.sentinels, time.monotonic() - started, timed.blocks, timed.rejected,
        load=timed.load, busy=timed.busy, shared=timed.shared,
    )  # fmt: skip


def _precision(units: Sequence[Unit]) -> str:
    return f", layers known to {_layers_error(units):.1%}" if _covers(units) else ""


def _layers_error(units: Sequence[Unit]) -> float:
    """The layers' median relative standard error."""
    return float(np.median(relative_errors(pool(_covers(units)))))


def _covers(units: Sequence[Unit]) -> list[Unit]:
    return [u for u in units if u.layers]


def _seed(plan: BuildPlan, name: str) -> int:
    return zlib.crc32(f"{plan.seed} {name}".encode())


def _plain(value: SpaceId) -> dict[str, Any]:
    return {**asdict(value), "resolutions": list(value.resolutions)}
