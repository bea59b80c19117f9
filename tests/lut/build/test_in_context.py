from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build.bench import open_bench
from lut.build.control_drift import QUICK, drifts, reference_times, speed_spread, usual_error, usual_times
from lut.build.in_context import WITNESSES, InContext, attribute
from lut.build.records import NetworkTime, Unit, pool, sampling_error
from lut.estimate.reconcile import Sizes, Timed, refine
from lut.protocols import layers_at
from lut.table.entry import Entry
from profilers.base import Options, TimingPlan
from profilers.errors import MeasurementFailed, TableError
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
    assert found.ms.sum() == pytest.approx(true.sum()) and found.fused == [] and found.foreign == 0


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


def test_foreign_nodes_are_reported_and_spread(layers):
    runs = [{**trace(layers, np.ones(len(layers))), "reorder": 0.5 * len(layers)}] * 4
    found = attribute(layers, runs, 1.5 * len(layers))
    assert found.foreign == pytest.approx(1 / 3) and found.ms.sum() == pytest.approx(1.5 * len(layers))


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


def unit(name, layers, sentinels):
    return Unit(name, layers, [], sentinels, 1.0, 10, 0)


def test_true_drift_is_divided_out():
    speed = np.array([1.0, 1.1, 0.9, 1.0, 1.05])
    units = [unit(str(i), {"a": [2.0 * f]}, [f, 2 * f, 3 * f]) for i, f in enumerate(speed)]
    entries = pool(units)
    assert (
        entries["a"].ms == pytest.approx(2.0 * np.exp(np.quantile(np.log(speed), QUICK)), rel=1e-6)
        and entries["a"].n == 5
        and entries["a"].se < 1e-3
    )


def test_speed_counts_from_the_quick_units_and_its_spread_is_known():
    rng = np.random.default_rng(0)
    usual = np.exp(0.004 * rng.standard_normal((15, 3))) * [5.0, 7.0, 6.0]
    slow = np.arange(15) % 3 == 0
    times = np.where(slow, rng.uniform(1.1, 1.5, 15), 1.0)[:, None] * usual
    np.testing.assert_allclose(reference_times(times.tolist()), [5.0, 7.0, 6.0], rtol=0.012)
    factors = drifts(times.tolist())
    np.testing.assert_allclose(factors[~slow], 1.0, atol=0.015)
    np.testing.assert_allclose(drifts(times.tolist(), reference_times(times.tolist()).tolist()), factors, rtol=1e-3)
    assert speed_spread(times.tolist()) == pytest.approx(np.log(factors).std(ddof=1), rel=0.01)
    assert speed_spread(usual.tolist()) < 0.004 and speed_spread([[1.0]]) == 0.0


def test_noise_of_the_sentinels_is_not_taken_for_drift():
    rng = np.random.default_rng(0)
    noisy = np.exp(0.01 * rng.standard_normal((40, 4)))
    assert np.abs(np.log(drifts(noisy.tolist()))).mean() < 0.5 * np.abs(np.log(noisy).mean(axis=1)).mean()


def test_the_usual_speed_is_known_the_better_the_more_often_it_was_seen():
    rng = np.random.default_rng(0)
    few, many = (
        np.mean([usual_error(np.exp(0.01 * rng.standard_normal((n, 4))).tolist()) for _ in range(50)]) for n in (5, 45)
    )
    assert few == pytest.approx(0.01 / np.sqrt(20), rel=0.25) and many == pytest.approx(few / 3, rel=0.2)


def test_a_changed_speed_is_seen_against_the_reference():
    rng = np.random.default_rng(0)
    now = 1.2 * np.exp(0.005 * rng.standard_normal((3, 4)))
    np.testing.assert_allclose(drifts(now.tolist(), [1.0] * 4), 1.2, rtol=0.02)
    np.testing.assert_allclose(drifts(now.tolist()), 1.0, rtol=0.02)


def test_sentinels_that_failed_are_left_out():
    assert drifts([[0.0, 0.0], [0.0, 0.0]]).tolist() == [1.0, 1.0]
    assert drifts([[1.0, 0.0], [2.0, 0.0]], [1.0, 0.0])[1] > 1.3
    assert usual_times([[1.0, 0.0], [4.0, 0.0]]).tolist() == pytest.approx([2.0, 0.0])
    assert usual_error([[0.0, 0.0], [0.0, 0.0]]) == 0.0


def test_pooling_ignores_one_wild_observation_and_honours_scatter():
    units = [unit("u", {"a": [1.0, 1.01, 0.99, 1.0, 9.0, 1.0], "b": [1.0], "c": [1.0, 1.2]}, [0.0])]
    entries = pool(units)
    assert entries["a"].ms == pytest.approx(1.0, abs=0.01)
    assert entries["b"].se > 0 and entries["c"].ms == pytest.approx(1.1)


def test_units_from_a_file_are_checked():
    good = unit("u", {"a": [1.0]}, [1.0]).to_json()
    assert Unit.from_json(good, "x") == unit("u", {"a": [1.0]}, [1.0])
    for change in ({"layers": {"a": ["1"]}}, {"seconds": -1}, {"networks": [1]}, {"blocks": 0.5}, {"extra": 1}):
        with pytest.raises(TableError):
            Unit.from_json({**good, **change}, "x")


def test_units_of_older_tables_lack_later_fields_and_no_others():
    good = unit("u", {"a": [1.0]}, [1.0])
    old = {k: v for k, v in good.to_json().items() if k not in ("nodes", "shared")}
    assert Unit.from_json(old, "x") == good
    with pytest.raises(TableError, match="load"):
        Unit.from_json({k: v for k, v in old.items() if k != "load"}, "x")


def networks_of(space, n, seed, truth):
    archs = space.decode(space.sample(n, np.random.default_rng(seed)))
    walked = [[layer.key for layer in space.layers(a)] for a in archs]
    return [Timed(keys, sum(truth[k] for k in keys), i // 18) for i, keys in enumerate(walked)]


def test_wrong_traces_are_mended_by_whole_networks():
    """Traces that charge every layer 3 us too much and lose a third of depthwise time, as tiny networks show."""
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    traced = {k: Entry(truth[k] * 0.7 + 3e-3, 1e-5, 3) for k in layers}
    refined = refine(traced, layers, networks_of(space, 150, 0, truth), 1)
    fresh = networks_of(space, 50, 1, truth)
    before = [abs(sum(traced[k].ms for k in keys) / y - 1) for keys, y, *_ in fresh]
    after = [abs(sum(refined.entries[k].ms for k in keys) / y - 1) for keys, y, *_ in fresh]
    assert np.mean(before) > 0.3 and np.mean(after) < 0.01 and all(e.ms > 0 for e in refined.entries.values())


def test_a_fold_in_which_a_layer_keeps_too_little_is_reconciled_all_the_same():
    """Else its networks are predicted by traces, and the interval is as wide as those are wrong."""
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-5 + 2e-7 * x.madds for k, x in layers.items()}
    traced = {k: Entry(truth[k] + 3e-3, 1e-5, 3) for k in layers}
    known = Sizes(feature=0.3, layer=0.1, noise=0.005)
    found = refine(traced, layers, networks_of(space, 150, 0, truth), 1, sizes=known)
    shares = [found.entries[k].ms / traced[k].ms for k in layers]
    assert found.sizes == known and min(shares) == pytest.approx(0.1) and max(shares) < 0.9


def test_the_sampling_error_of_an_estimate_is_that_of_its_rounds():
    rng = np.random.default_rng(0)
    blocks = 10 * (1 + 0.03 * rng.random((400, 16)))
    blocks[:, 3] = np.nan
    networks = [NetworkTime({}, 10.0, [None if np.isnan(b) else b for b in row]) for row in blocks]
    found = np.sqrt(np.mean([sampling_error(n) ** 2 for n in networks]))
    assert found == pytest.approx(np.nanmedian(blocks, axis=1).std() / 10.15, rel=0.3)
    assert sampling_error(NetworkTime({}, 1.0, [])) == 0.0
    assert sampling_error(NetworkTime({}, 1.0, [None, 1.0, None])) == 0.0


def test_right_traces_are_left_alone():
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    rng = np.random.default_rng(0)
    noisy = [n._replace(ms=n.ms * (1 + 0.01 * rng.standard_normal())) for n in networks_of(space, 100, 0, truth)]
    refined = refine({k: Entry(ms, 1e-5, 3) for k, ms in truth.items()}, layers, noisy, 1)
    changes = [abs(refined.entries[k].ms / truth[k] - 1) for k in truth]
    assert np.mean(changes) < 0.01


def test_the_level_is_that_of_networks_timed_as_a_users_are():
    """Covering networks 4 % slower than they would be alone, and the traces with them."""
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    rng = np.random.default_rng(0)
    covers = [n._replace(ms=1.04 * n.ms, cover=True) for n in networks_of(space, 180, 2, truth)]
    alone = [n._replace(group=n.group + 10) for n in networks_of(space, 36, 0, truth)]
    seen = [n._replace(ms=n.ms * (1 + 5e-3 * rng.standard_normal())) for n in covers + alone]
    refined = refine({k: Entry(1.04 * ms, 1e-5, 3) for k, ms in truth.items()}, layers, seen, 1)
    fresh = networks_of(space, 50, 1, truth)
    bias = np.mean([sum(refined.entries[k].ms for k in keys) / y - 1 for keys, y, *_ in fresh])
    assert abs(bias) < 0.006


def test_what_a_group_of_networks_shares_is_not_laid_to_its_layers():
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    shift = {0: 0.03, 1: -0.03, 2: 0.0, 3: 0.03, 4: -0.03, 5: 0.0}
    rng = np.random.default_rng(0)
    seen = [
        n._replace(ms=n.ms * (1 + shift[n.group] + 3e-3 * rng.standard_normal()))
        for n in networks_of(space, 108, 0, truth)
    ]
    refined = refine({k: Entry(ms, 1e-5, 3) for k, ms in truth.items()}, layers, seen, 1)
    fresh = networks_of(space, 50, 1, truth)
    errors = [abs(sum(refined.entries[k].ms for k in keys) / y - 1) for keys, y, *_ in fresh]
    assert refined.sizes.group >= 0.01 and np.mean(errors) < 0.006


def test_covers_that_are_off_as_a_whole_are_mended_by_whole_networks():
    """Each resolution traced in a minute of its own: all its layers 5 % too slow, or too quick."""
    space = get_space("tiny", [12, 16, 20, 24])
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    rng = np.random.default_rng(0)
    seen = {k: [i for i, r in enumerate(space.resolutions) if k in at(space, r)] for k in layers}
    off = [0.05, -0.05, 0.04, -0.06]
    traced = {k: Entry(truth[k] * (1 + np.mean([off[i] for i in seen[k]])), 1e-5, 1) for k in layers}
    networks = [n._replace(ms=n.ms * (1 + 3e-3 * rng.standard_normal())) for n in networks_of(space, 72, 0, truth)]
    refined = refine(traced, layers, networks, 1, seen)
    fresh = networks_of(space, 50, 1, truth)
    errors = [abs(sum(refined.entries[k].ms for k in keys) / y - 1) for keys, y, *_ in fresh]
    assert refined.sizes.cover >= 0.03 and np.mean(errors) < 0.006
    again = refine(traced, layers, networks, 1, seen, refined.sizes)
    assert again == refined


def at(space, resolution):
    return {layer.key for layer in layers_at(space, resolution)}


class Counting(Fake):
    """Remembers which of its models were traced."""

    def __init__(self, slowdown):
        super().__init__(Behaviour(noise=0.003, traced_slowdown=slowdown))
        self.loaded = []

    def load(self, model, options, *, traced=False):
        self.loaded.append(traced)
        return super().load(model, options, traced=traced)


def five_covers(slowdown):
    """Units, and how many untraced covering networks were loaded for each."""
    profiler, space = Counting(slowdown), get_space("tiny", [20])
    units, untraced = [], []
    with open_bench(space, write_onnx, profiler, Options()) as bench:
        for seed in range(5):
            profiler.loaded.clear()
            units.append(InContext().measure(bench, 20, seed, earlier=units))
            untraced.append(profiler.loaded.count(False) - WITNESSES)
            assert profiler.loaded.count(True) == 9 and len(units[-1].networks) == 9
    return units, untraced


@pytest.mark.parametrize(("slowdown", "untraced"), [(1.0, [9, 0, 0, 0, 0]), (1.2, [9, 9, 9, 0, 0])])
def test_untraced_runs_are_spared_where_what_tracing_costs_is_known(slowdown, untraced):
    units, loaded = five_covers(slowdown)
    assert loaded == untraced
    assert units[0].slowdown == pytest.approx(slowdown - 1, abs=0.005)
    assert [u.slowdown for u in units[1:]] == pytest.approx([units[0].slowdown] * 4, abs=0.005)
    one, last = (pool([u]) for u in (units[0], units[-1]))
    assert [last[k].ms for k in one] == pytest.approx([e.ms for e in one.values()], rel=0.03)
    assert [all(n.blocks for n in u.networks) for u in units] == [bool(n) for n in untraced]  # what was timed as it is


class Hidden(Fake):
    """Tracing costs what the neighbours on the core make it cost, and the nodes do not show it."""

    def load(self, model, options, *, traced=False):
        session = super().load(model, options, traced=traced)
        if traced:
            session.ideal_ms *= self.cost
        return session


def test_what_tracing_costs_in_another_minute_does_not_change_the_layers():
    profiler, space = Hidden(Behaviour(noise=0.003, traced_slowdown=1.05)), get_space("tiny", [20])
    units = []
    with open_bench(space, write_onnx, profiler, Options()) as bench:
        for seed, profiler.cost in enumerate((1.1, 1.1, 1.1, 1.25)):
            units.append(InContext().measure(bench, 20, seed, earlier=units))
    one, last = (pool([u]) for u in (units[0], units[-1]))
    assert units[-1].slowdown > units[0].slowdown + 0.1
    assert [last[k].ms for k in one] == pytest.approx([e.ms for e in one.values()], rel=0.03)


def test_untraced_runs_are_not_spared_where_tracing_costs_much():
    assert five_covers(1.5)[1] == [9] * 5


class Placed(Fake):
    """Memory that favours what is loaded late: each session of a group is a percent faster than the one before."""

    def load(self, model, options, *, traced=False):
        session = super().load(model, options, traced=traced)
        session.place, self.places = self.places, self.places + 1
        session.nodes = {k: ms * 0.99**session.place for k, ms in session.nodes.items()}
        session.ideal_ms *= 0.99**session.place
        return session


def test_where_sentinels_lie_in_memory_is_as_random_as_where_networks_do():
    profiler, space = Placed(Behaviour(noise=0.0)), get_space("tiny", [20])
    profiler.places = 0
    genes = space.sample(11, np.random.default_rng(3))
    ideal = [Fake().load(write_onnx(space.layers(a)), Options()).ideal_ms for a in space.decode(genes)]
    errors, orders = [], set()
    with open_bench(space, write_onnx, profiler, Options()) as bench:
        usual = [Fake().load(m, Options()).ideal_ms for m in bench.sentinels]
        for seed in range(30):
            profiler.places = 0
            with bench.loaded({str(i): partial(bench.load, m) for i, m in enumerate(models(bench, genes))}, seed) as s:
                assert list(s) == [*map(str, range(11)), *(f"sentinel-{i}" for i in range(len(bench.sentinels)))]
                places = sorted(s[f"sentinel-{i}"].place for i in range(len(bench.sentinels)))
                assert places == [2, 7, 11]
                orders.add(tuple(s[str(i)].place for i in range(11)))
                timed = bench.time(s, plans.COVER, seed)
            networks = np.mean([np.log(timed.samples[str(i)].ms / ideal[i]) for i in range(11)])
            errors.append(np.mean(np.log(np.array(timed.sentinels) / usual)) - networks)
    assert len(orders) == 30
    assert abs(np.mean(errors)) < 0.01  # loaded last, the sentinels would be 8 % faster


def models(bench, genes):
    return [bench.model(bench.space.layers(a)) for a in bench.space.decode(genes)]
