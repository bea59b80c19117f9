"""Tables with torch: the in-context builder on the CPU, kernels in place of CPU times, and what has no layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build.bench import Bench, Workbench
from lut.build.in_context import InContext
from lut.build.pipeline import build
from lut.protocols import layers_at
from profilers.base import Options, TimingPlan
from profilers.errors import EngineUnavailable
from profilers.onnx.node_names import layer_of
from profilers.runtimes.torch import trace
from profilers.runtimes.torch.runtime import Torch
from profilers.timing.measurement import measuring
from tests.profilers import models
from tests.profilers.runtimes.torch.standin import Pretended

QUICK = TimingPlan(min_rounds=3, max_rounds=3, warmup_runs=1, warmup_max_runs=1, untimed_runs=0, max_wall_over_cpu=1e9)


@pytest.mark.slow
def test_a_cover_gives_every_layer_a_time_that_adds_up_to_the_untraced_network():
    space = get_space("tiny", [12])
    with measuring(Options()) as measurement:
        bench = Bench(space, write_onnx, Torch(), measuring=measurement)
        batch = InContext().measure(bench, 12, 0, plan=QUICK)
    slots = {layer.key for layer in layers_at(space, 12)} - {space.classifier.key}
    assert slots <= set(batch.layers) and not batch.fused
    assert batch.unattributed_fraction == 0 and batch.slowdown >= 0
    observed = sum(sum(times) for times in batch.layers.values())
    assert observed == pytest.approx(sum(n.measurement.ms for n in batch.networks))


def as_kernels(results):
    """The operators of a CPU as they would be on a GPU: those that call no other launch a kernel of their length."""
    events = CPU_EVENTS(results)
    calls = {e.id: any(o.start >= e.start and o.end <= e.end and o.id != e.id for o in events) for e in events}
    launching = [e for e in events if not calls[e.id] and not e.name.startswith(trace.MARK)]
    kernels = [e._replace(id=0, link=e.id, on_cpu=False) for e in launching]
    return [*events, *kernels]


CPU_EVENTS, RECORDED = trace.events_of, trace.recorded


def test_layers_of_kernels_are_those_of_the_network(monkeypatch):
    monkeypatch.setattr(trace, "events_of", as_kernels)
    monkeypatch.setattr(trace, "recorded", lambda found, cuda: RECORDED(found, cuda=False))
    model, layers = models.tiny()
    with Pretended().load(model, traced=True) as session:
        session.run()
        (times,) = session.node_times()
    assert {layer_of(name) for name in times} == set(range(layers)) and all(times.values())


def test_a_level_without_layers_is_refused_before_anything_is_compiled(tmp_path):
    space, options = get_space("tiny", [12]), Options(optimization="compile")
    bench = replace(Workbench(space, write_onnx, Torch()), options=options)
    with pytest.raises(EngineUnavailable, match="at the level compile; try: another level; for a table"):
        build(bench, out=tmp_path / "t.json")
