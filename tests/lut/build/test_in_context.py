"""Layers measured in covering networks: node times attributed to layers, and which covers are timed untraced too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build.bench import Workbench, open_bench
from lut.build.in_context import CONTROLS_BESIDE, TRACED_RUNS, InContext, attribute
from lut.build.records import aggregate
from profilers.base import TimingPlan
from profilers.errors import MeasurementFailed
from profilers.runtimes.fake import Behaviour, Fake
from profilers.timing import plans
from profilers.timing.estimator import summarise


@pytest.fixture
def layers():
    space = get_space("tiny")
    return space.layers(space.extremes(20)[0])


def trace(layers, per_layer, nodes=2):
    return {f"L{i:02d}_{j}": per_layer[i] / nodes for i in range(len(layers)) for j in range(nodes)}


def test_layers_add_up_to_the_untraced_time(layers):
    true = np.linspace(1, 2, len(layers))
    found = attribute(layers, [trace(layers, 1.3 * true)] * 6, true.sum())
    assert found.ms.sum() == pytest.approx(true.sum()) and found.fused == [] and found.unattributed_fraction == 0


def test_a_cost_of_tracing_that_is_the_same_for_every_node_is_taken_out_exactly(layers):
    true = np.linspace(1, 2, len(layers))
    runs = [{k: v + 0.1 for k, v in trace(layers, true).items()}] * 6
    np.testing.assert_allclose(attribute(layers, runs, true.sum()).ms, true, rtol=1e-9)


def test_traced_runs_alone_are_brought_to_the_untraced_time_at_the_usual_speed(layers):
    """Warm-up, then blocks of one untimed and two timed runs; the machine is slow in some, one block was rejected."""
    true = np.linspace(1, 2, len(layers))
    level = np.array([1.0, 1.16, 1.16, 1.0, 1.0, 1.0])
    runs = [trace(layers, 9 * true)] * 4
    for f in level:
        runs += [trace(layers, 1.5 * f * true), *[trace(layers, f * true)] * 2]
    ms = np.where(np.arange(6) == 2, np.nan, 1.3 * true.sum() * level)
    traced = replace(summarise(ms, level, TimingPlan()), untimed=1, timed=2)
    for share in (1.0, 1.06):
        found = attribute(layers, runs, None, share, traced)
        assert found.plain_ms == pytest.approx(true.sum() / share) and found.nodes == pytest.approx(share)
        less = 0.06 / 1.06 * true.mean() if share > 1 else 0.0  # what is more is tracing's: even for all nodes
        np.testing.assert_allclose(found.ms, true - less, rtol=1e-9)


def test_preempted_runs_do_not_count(layers):
    true = np.linspace(1, 2, len(layers))
    runs = [trace(layers, true) for _ in range(10)]
    for i, run in enumerate(runs[:4]):
        run[f"L{i:02d}_0"] += 4.0
    np.testing.assert_allclose(attribute(layers, runs, true.sum()).ms, true, rtol=1e-9)


def test_nodes_of_no_layer_are_reported_and_spread(layers):
    runs = [{**trace(layers, np.ones(len(layers))), "reorder": 0.5 * len(layers)}] * 4
    found = attribute(layers, runs, 1.5 * len(layers))
    assert found.unattributed_fraction == pytest.approx(1 / 3) and found.ms.sum() == pytest.approx(1.5 * len(layers))


@pytest.mark.parametrize("gone", [0, 2, 5])
def test_fused_layers_share_their_neighbours_time(layers, gone):
    runs = [{k: v for k, v in trace(layers, np.ones(len(layers))).items() if not k.startswith(f"L{gone:02d}_")}] * 4
    found = attribute(layers, runs, float(len(layers) - 1))
    assert found.fused == [gone] and (found.ms > 0).all() and found.ms.sum() == pytest.approx(len(layers) - 1)


def test_a_trace_without_our_names_is_an_error(layers):
    with pytest.raises(MeasurementFailed, match="isolated"):
        attribute(layers, [{"fused_kernel": 1.0, "L99_x": 1.0}] * 3, 1.0)
    with pytest.raises(MeasurementFailed):
        attribute(layers, [], 1.0)


class Counting(Fake):
    """Remembers which of its models were traced."""

    def __init__(self, slowdown):
        super().__init__(Behaviour(noise=0.003, traced_slowdown=slowdown))
        self.loaded = []

    def load(self, model, options, *, traced=False):
        self.loaded.append(traced)
        return super().load(model, options, traced=traced)


def five_covers(slowdown):
    """Batches, and how many untraced covering networks were loaded for each."""
    profiler, space = Counting(slowdown), get_space("tiny", [20])
    batches, untraced = [], []
    with open_bench(Workbench(space, write_onnx, profiler)) as bench:
        for seed in range(5):
            profiler.loaded.clear()
            batches.append(InContext().measure(bench, 20, seed, earlier=batches))
            untraced.append(profiler.loaded.count(False) - CONTROLS_BESIDE)
            assert profiler.loaded.count(True) == 9 and len(batches[-1].networks) == 9
    return batches, untraced


@pytest.mark.slow
@pytest.mark.parametrize(("slowdown", "untraced"), [(1.0, [9, 0, 0, 0, 0]), (1.2, [9, 9, 9, 0, 0])])
def test_untraced_runs_are_spared_where_what_tracing_costs_is_known(slowdown, untraced):
    batches, loaded = five_covers(slowdown)
    assert loaded == untraced
    assert batches[0].slowdown == pytest.approx(slowdown - 1, abs=0.005)
    assert [b.slowdown for b in batches[1:]] == pytest.approx([batches[0].slowdown] * 4, abs=0.005)
    one, last = (aggregate([b]) for b in (batches[0], batches[-1]))
    assert [last[k].ms for k in one] == pytest.approx([e.ms for e in one.values()], rel=0.03)
    assert [all(n.measurement.blocks for n in b.networks) for b in batches] == [
        bool(n) for n in untraced
    ]  # what was timed as it is


class Hidden(Fake):
    """Tracing costs what the neighbours on the core make it cost, and the nodes do not show it."""

    def load(self, model, options, *, traced=False):
        session = super().load(model, options, traced=traced)
        if traced:
            session.ideal_ms *= self.cost
        return session


@pytest.mark.slow
def test_what_tracing_costs_in_another_minute_does_not_change_the_layers():
    profiler, space = Hidden(Behaviour(noise=0.003, traced_slowdown=1.05)), get_space("tiny", [20])
    batches = []
    with open_bench(Workbench(space, write_onnx, profiler)) as bench:
        for seed, profiler.cost in enumerate((1.1, 1.1, 1.1, 1.25)):
            batches.append(InContext().measure(bench, 20, seed, earlier=batches))
    one, last = (aggregate([b]) for b in (batches[0], batches[-1]))
    assert batches[-1].slowdown > batches[0].slowdown + 0.1
    assert [last[k].ms for k in one] == pytest.approx([e.ms for e in one.values()], rel=0.03)


@pytest.mark.slow
def test_untraced_runs_are_not_spared_where_tracing_costs_much():
    assert five_covers(1.5)[1] == [9] * 5


def test_traced_runs_are_few_where_small_networks_are_run_often():
    """Each is recorded; the untraced ones of the same networks are run as often as their plan says."""
    profiler, space = Recorded(Behaviour(noise=0.0)), get_space("tiny", [12])
    with open_bench(Workbench(space, write_onnx, profiler)) as bench:
        profiler.sessions.clear()
        InContext().measure(bench, 12, 0)
    traced, plain = ([s.runs for s in profiler.sessions if s.traced == kind] for kind in (True, False))
    assert max(s.ideal_ms for s in profiler.sessions) < plans.COVER.block_ms / (TRACED_RUNS + 1)  # many runs a block
    assert max(traced) < min(plain)


class Recorded(Fake):
    """Ten times as fast; keeps its sessions."""

    def __init__(self, behaviour):
        super().__init__(behaviour)
        self.sessions = []

    def load(self, model, options, *, traced=False):
        session = super().load(model, options, traced=traced)
        session.ideal_ms /= 10
        session.nodes = {name: ms / 10 for name, ms in session.nodes.items()}
        self.sessions.append(session)
        return session
