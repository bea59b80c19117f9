"""The data behind the figures, against numbers worked out by hand or by the slow way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.report import (
    CurvePoint,
    Engine,
    Iteration,
    ObjectiveInfo,
    RunData,
    figures,
    latency,
)
from hwnas.report.data import letter
from hwnas.select import frequencies
from hwnas.space import get_space
from profilers.errors import BadInput
from tests.hwnas.report_run import OBJECTIVES, SPACE, evaluation, full_run, sheet, table


@pytest.fixture(scope="module")
def run() -> RunData:
    return full_run()


def small(values: list[dict[str, float | None]], objectives=OBJECTIVES[:2], **more) -> RunData:
    archs = SPACE.decode(SPACE.sample(len(values), np.random.default_rng(0)))
    rows = [evaluation(a, v) for a, v in zip(archs, values, strict=True)]
    return RunData("small", SPACE, objectives, rows, **more)


def slow_front(values: np.ndarray, signs: list[int], among: list[int]) -> list[int]:
    """Non-dominated rows of some, by definition."""
    v = values * signs
    return [i for i in among if not any((v[j] <= v[i]).all() and (v[j] < v[i]).any() for j in among)]


def test_failures_and_missing_values_are_not_networks():
    run = small(
        [{"top1": 90.0, "params": 5}, {"top1": None, "params": 4}, {"params": 1}, {"top1": float("nan"), "params": 1}]
    )
    assert (len(run.done), run.failed) == (1, 3)


def test_fronts_follow_the_definition(run):
    data = figures.front(run)
    keep = [i for i in range(120) if 1.03 * run.values[i, 3] <= run.budgets["cpu_ms"]]
    assert 0 < len(keep) < 120 and list(data.front) == slow_front(run.values, [-1, 1, 1, 1, 1], keep)
    assert sorted(data.front + data.others) == list(range(120))
    for panel in figures.projections(run):
        assert sorted(panel.pair) == slow_front(run.values[:, [0, panel.x.objective]], [-1, 1], keep)
        assert set(panel.pair) <= set(panel.front)
        x = [panel.x.values[i] for i in panel.pair]
        y = [panel.y.values[i] for i in panel.pair]
        assert x == sorted(x) and y == sorted(y)


def test_axes_of_the_front(run):
    data = figures.front(run)
    titles = [a.title for a in (data.x, data.y, data.z, data.colour, data.size)]
    assert titles == ["CPU latency (ms)", "Parameters (k)", "Top-1 accuracy (%)", "GPU latency (ms)", "MAdds (k)"]
    assert data.y.values[7] == pytest.approx(run.done[7].objectives["params"] / 1000)


@pytest.mark.parametrize(
    ("names", "dimensions"),
    [
        (["top1", "npu_ms"], None),
        (["top1", "params", "madds"], 3),
        (["top1", "params", "cpu_ms", "npu_ms"], 4),
    ],
)
def test_any_subset_of_objectives(names, dimensions):
    rng = np.random.default_rng(0)
    values = [dict(zip(names, rng.random(len(names)).tolist(), strict=True)) for _ in range(20)]
    kind = lambda n: "latency" if n.endswith("_ms") else "count"  # noqa: E731
    run = small(values, [ObjectiveInfo(n, "", n != "top1", "exact", kind(n)) for n in names])
    data = figures.front(run)
    assert (data is None) == (dimensions is None)
    if data is not None:
        assert (data.colour is not None, data.size is not None) == (dimensions > 3, dimensions > 4)
    assert len(figures.projections(run)) == len(names) - 1


def test_one_objective_has_no_projection():
    run = small([{"top1": 90.0}, {"top1": 91.0}], OBJECTIVES[:1])
    assert figures.projections(run) == [] and figures.front(run) is None and run.front.tolist() == [False, True]


def test_budgets_are_scaled_like_the_axis():
    run = small([{"top1": 90.0, "params": 50_000}], budgets={"params": 40_000.0})
    assert figures.projections(run)[0].budget == 40


def test_progress_compares_with_the_mean_of_random_searches(run):
    data = figures.progress(run)
    assert data.search.x == tuple(range(40, 121, 10))
    last = [p.hypervolume for p in run.random if p.evaluations == 120]
    assert len(last) == 3
    assert (data.random.y[-1], data.random.low[-1], data.random.high[-1]) == (np.mean(last), min(last), max(last))
    assert (data.search.seeds, data.random.seeds) == (1, 3)
    reached = [s.evaluations for s in run.iterations if s.hypervolume >= np.mean(last)]
    assert data.overtaken == reached[0]


def test_progress_is_the_mean_over_seeds(run):
    data = figures.progress(replace(run, repeats=[CurvePoint(40, 0.65), CurvePoint(50, 0.7)]))
    assert (data.search.y[0], data.search.low[0], data.search.high[0]) == (pytest.approx(0.6), 0.55, 0.65)
    assert data.search.seeds == 2 and data.search.y[-1] == run.iterations[-1].hypervolume


def test_progress_that_random_search_beats():
    data = figures.progress(replace(full_run(), iterations=[Iteration(0, 40, 0.1)]))
    assert data.overtaken is None
    assert figures.progress(replace(full_run(), iterations=[])) is None


def test_quality_leaves_out_iterations_without_surrogate(run):
    data = figures.quality(run)
    assert data.iterations == tuple(range(1, 9))
    assert set(data.surrogates) <= {"gp", "rbf", "cart"}
    assert figures.quality(replace(run, iterations=run.iterations[:1])) is None


def test_letters_rise_with_the_latency(run):
    assert list(run.letters.values()) == ["A", "B", "C", "D"]
    cpu = [run.done[i].objectives["cpu_ms"] for i, _ in sorted(run.marked.items(), key=lambda item: item[1])]
    assert len(cpu) == 4 and cpu == sorted(cpu)
    assert [letter(i) for i in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_two_engines_of_one_network_share_a_letter(run):
    again = Engine(sheet(run.done[next(iter(run.marked))], 9))
    assert replace(run, chosen=[*run.chosen, again]).letters == run.letters


def test_latency_shows_engines_and_the_networks_behind_the_table(run):
    (found,) = latency.agreements(run)
    assert (len(found.engines), len(found.networks)) == (4, 30)
    bound, networks = table().bind(SPACE), table().observations["batches"][0]["networks"]
    for pair, network in zip(found.networks, networks, strict=True):
        expected = bound.predict(SPACE.encode([SPACE.parse(network["arch"])])).ms[0]
        assert (pair.predicted, pair.measured) == (pytest.approx(expected), pytest.approx(network["ms"]))
    engine = run.chosen[0].sheet["latency"]
    assert found.engines[0].error == pytest.approx(engine["predicted"]["value"] / engine["measured"]["value"] - 1)
    assert latency.mean_error(found.engines) == pytest.approx(np.mean([abs(p.error) for p in found.engines]))


def test_latency_of_networks_of_other_resolutions_is_left_out(run):
    fewer = replace(run, space=get_space("tiny", [SPACE.resolutions[0]]), chosen=())
    (found,) = latency.agreements(fewer)
    assert 0 < len(found.networks) < 15


def test_limits_hold_every_interval(run):
    (found,) = latency.agreements(run)
    low, high = found.limits
    assert all(low < min(p.low, p.fast) and high > max(p.high, p.slow) for p in (*found.engines, *found.networks))


def test_engines_of_another_setting_are_another_figure(run):
    other = sheet(run.done[0])
    other["engine"] = {**other["engine"], "profiler": "openvino", "precision": "bf16"}
    found = latency.agreements(replace(run, chosen=[*run.chosen, Engine(other)]))
    assert [(f.title, len(f.engines)) for f in found] == [
        ("onnxruntime, fp32, batch 1, 1 thread, steady", 4),
        ("openvino, bf16, batch 1, 1 thread, steady", 1),
    ]


def test_engines_without_prediction_are_not_compared(run):
    bare = sheet(run.done[0])
    bare["latency"]["predicted"] = {"value": None, "unit": "ms", "how": "not measured: no table"}
    assert latency.agreements(replace(run, chosen=[Engine(bare)], tables={})) == []


def test_frequencies_count_choices():
    space = get_space("tiny")
    small_one, large_one = space.extremes()
    found = frequencies.count("all", space, [small_one, large_one, large_one])
    assert found.choices["kernel"][:, 0].tolist() == pytest.approx([1 / 3, 0, 2 / 3])  # 3, 5, 7 in the first layer
    assert found.choices["kernel"][:, 1].tolist() == [0, 0, 1]  # only the large ones have a second
    assert found.depth[:, 0].tolist() == pytest.approx([1 / 3, 0, 2 / 3])
    assert found.resolution[[0, -1], 0].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert np.isnan(frequencies.count("one", space, [small_one]).choices["kernel"][:, 1]).all()


def test_drawing_puts_layers_at_their_places():
    arch = SPACE.parse({"d": [1, 3, 2], "ks": [3, 5, 7, 3, 5, 7], "e": [3, 4, 6, 3, 4, 6], "r": SPACE.resolutions[0]})
    drawn = frequencies.draw(SPACE, arch)
    assert drawn.layers == (((3, 3), None, None), ((5, 4), (7, 6), (3, 3)), ((5, 4), (7, 6), None))


def test_a_run_needs_objectives():
    with pytest.raises(BadInput, match="no objective"):
        RunData("none", SPACE, [], [])
