"""Builds and verifications recorded block by block, and made again from the record without a device.

A record is a folder: `table.json`, `figures.json` (of `lut verify`), `seconds.json`, and an `.npz` for each call of the
timing loop with the raw wall and CPU times of every block. What is made from a record runs the product's own code; only
the sessions are stand-ins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

import lut
from hwnas.onnx.writer import write_onnx
from hwnas.space import SearchSpace, get_space
from lut.build import bench as benches
from lut.build import in_context, pipeline
from lut.build.assembly import assemble
from lut.build.bench import Workbench, open_bench
from lut.build.checkpoint import Checkpoint
from lut.build.methods import get_builder
from lut.build.records import MeasurementBatch
from lut.build.schedule import BuildPlan, steps_of
from lut.verify import PlainLoops, compare, measure, verify
from profilers.base import Failure, Options, Profiler, Samples, TimingPlan
from profilers.files import read_json, write_json
from profilers.registry import get_profiler
from profilers.timing import plans
from profilers.timing.blocks import Block
from profilers.timing.conditions import Watch
from profilers.timing.loop import _Loop
from profilers.timing.measurement import MeasuredGroup, Measuring

Nodes = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Call:
    """One call of the timing loop: `wall`, `cpu` and `order` are (rounds, sessions), as in `profilers.timing.loop`."""

    names: list[str]
    wall: np.ndarray[Any, Any]
    cpu: np.ndarray[Any, Any]
    order: np.ndarray[Any, Any]
    blocks: dict[str, list[int]]
    threads: dict[str, int]
    failures: dict[str, str]
    plan: dict[str, Any]
    contended: float
    nodes: Nodes

    def results(self, changes: Mapping[str, Any]) -> dict[str, Samples | Failure]:
        """What the timing loop makes of these blocks, by its plan with `changes`."""
        loop = object.__new__(_Loop)
        loop.names, loop.progress, loop.advanced = self.names, None, 0.0
        loop.plan = replace(TimingPlan(**self.plan), **changes)
        loop.wall, loop.cpu, loop.order = list(self.wall), list(self.cpu), list(self.order)
        loop.sessions = {name: SimpleNamespace(threads=n) for name, n in self.threads.items()}  # type: ignore[misc]
        loop.failures = {name: Failure(reason) for name, reason in self.failures.items()}
        loop.blocks = {name: Block(counts[0], counts[1]) for name, counts in self.blocks.items()}
        loop.contention = SimpleNamespace(contended_fraction=self.contended)  # type: ignore[assignment]
        loop.watch, loop.runs = self.watch(), {name: [] for name in self.names}
        return loop.results()

    def watch(self) -> Watch:
        """A watch that saw nothing: sensors are not recorded."""
        found = Watch([SimpleNamespace(sensor=None, clock=None) for _ in self.names])
        for _ in self.wall:
            found.begin_round()
        return found

    def seconds(self, names: Sequence[str]) -> float:
        """Of the timed and untimed runs of these sessions."""
        columns = [i for i, name in enumerate(self.names) if name in names]
        runs = np.array([sum(self.blocks.get(self.names[i], [0])) for i in columns])
        return float(np.nansum(self.wall[:, columns] * runs)) / 1e3

    def save(self, path: Path) -> None:
        """As arrays and one line of JSON."""
        arrays = ("wall", "cpu", "order")
        facts = {k: v for k, v in vars(self).items() if k not in arrays}
        np.savez_compressed(path, facts=json.dumps(facts), **{k: getattr(self, k) for k in arrays})

    @classmethod
    def load(cls, path: Path) -> Call:
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            return cls(**facts, **{k: file[k] for k in ("wall", "cpu", "order")})


class Recorder:
    """Keeps the raw blocks of every call of the timing loop while it is active."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @contextmanager
    def active(self) -> Iterator[None]:
        """Patches the loop's end and the attribution, which read what is recorded here."""
        results, attribute = _Loop.results, in_context._attribute_all

        def recorded(loop: _Loop) -> dict[str, Samples | Failure]:
            self.calls.append(_call(loop))
            return results(loop)

        def with_nodes(layers: Any, sessions: Mapping[str, Any], *rest: Any) -> Any:
            nodes = {name: s.node_times() for name, s in sessions.items() if name.endswith(" traced")}
            self.calls[-1].nodes.update(nodes)
            return attribute(layers, _stand_ins(list(sessions), nodes), *rest)

        with patch.object(_Loop, "results", recorded), patch.object(in_context, "_attribute_all", with_nodes):
            yield


def _call(loop: _Loop) -> Call:
    return Call(
        names=list(loop.names),
        wall=np.array(loop.wall),
        cpu=np.array(loop.cpu),
        order=np.array(loop.order),
        blocks={name: list(block) for name, block in loop.blocks.items()},
        threads={name: session.threads for name, session in loop.sessions.items()},
        failures={name: failure.reason for name, failure in loop.failures.items()},
        plan=asdict(loop.plan),
        contended=loop.contention.contended_fraction,
        nodes={},
    )


def _stand_ins(names: Sequence[str], nodes: Nodes) -> dict[str, Any]:
    return {name: SimpleNamespace(node_times=lambda name=name: nodes.get(name, [])) for name in names}


def record(folder: Path, engine: str, space: SearchSpace, archs: int, seed: int, budget: float | None) -> None:
    """Build a table and verify it, as `hwnas lut build` and `verify` do, every block recorded; done once."""
    if (folder / "figures.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    workbench, recorder = Workbench(space, write_onnx, get_profiler(engine)), Recorder()
    started = monotonic()
    with recorder.active():
        plan = BuildPlan(seed=seed, budget_seconds=budget)
        table = pipeline.build(workbench, out=folder / "table.json", plan=plan)
        built, calls = monotonic(), len(recorder.calls)
        figures = verify(table, workbench, archs=archs, seed=seed)
    for i, call in enumerate(recorder.calls):
        call.save(folder / f"{'build' if i < calls else 'verify'}-{i:03d}.npz")
    write_json(folder / "seconds.json", {"build": built - started, "verify": monotonic() - built})
    write_json(folder / "figures.json", figures)


def calls_of(folder: Path, part: str) -> list[Call]:
    """Of the build or of the verification, in order."""
    return [Call.load(path) for path in sorted(folder.glob(f"{part}-*.npz"))]


class Replay:
    """Gives the recorded calls, one after the other, to whoever loads and times models."""

    def __init__(self, calls: Sequence[Call], changes: Mapping[str, Any]) -> None:
        self.left, self.changes = list(calls), changes
        self.call = self.left[0]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Nothing is loaded or timed; a cover is paired if it was when it was recorded."""

        @contextmanager
        def loaded(_: Measuring, loads: Mapping[str, Any], *__: Any, **___: Any) -> Iterator[dict[str, Any]]:
            self.call = self.left.pop(0)
            yield _stand_ins(self.call.names, self.call.nodes)

        def time(measuring: Measuring, *_: Any, **__: Any) -> MeasuredGroup:
            return measuring._group(self.call.results(self.changes), 0.0)

        def paired(_: Sequence[MeasurementBatch]) -> bool:
            return any(f"{name} traced" in self.left[0].names for name in self.left[0].names)

        with ExitStack() as stack:
            for place, name, value in (
                (Measuring, "loaded", loaded),
                (Measuring, "time", time),
                (in_context, "_pairs", paired),
                (benches, "_learn", lambda _: None),
                (PlainLoops, "follow", lambda *_: None),
            ):
                stack.enter_context(patch.object(place, name, value))
            yield


def replay(folder: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of `verify` for the table that the record gives now, with `changes` of the timing plan."""
    table, figures = lut.load(folder / "table.json"), read_json(folder / "figures.json")
    assert table.fingerprint is not None
    profiler, space = get_profiler(table.fingerprint.runtime), get_space(table.space.name, table.space.resolutions)
    calls = [*calls_of(folder, "build"), *calls_of(folder, "verify")]
    with Replay(calls, changes).active():
        built = _build(table, space, profiler)
        workbench = Workbench(space, write_onnx, profiler)
        measured = measure(built, workbench, figures["networks"], figures["seed"], plans.VERIFY)
    assert built.interval is not None
    interval = {"interval": (built.interval.upper - built.interval.lower) / 2}
    return {**compare(built.bind(space).predict(measured.genes), measured), **interval}


def _build(table: lut.LatencyTable, space: SearchSpace, profiler: Profiler) -> lut.LatencyTable:
    """The table again, by the steps that its build took."""
    plan = BuildPlan(**table.provenance["plan"])
    assert table.observations is not None and table.fingerprint is not None
    steps = {step.name: step for step in steps_of(space, plan)}
    batches: list[MeasurementBatch] = []
    builder = get_builder(table.method)
    with open_bench(Workbench(space, write_onnx, profiler, Options())) as bench:
        for name in [batch["name"] for batch in table.observations["batches"]]:
            batches.append(pipeline.measure_step(bench, builder, plan, steps[name], batches))
    checkpoint = Checkpoint(Path(), {}, table.fingerprint, batches)
    return assemble(space, table.options, asdict(plan), checkpoint, table.method)
