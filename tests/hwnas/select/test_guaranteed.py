"""Budgets that hold: the upper end counts, what reaches over the limit is measured, and what cannot be is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lut
from hwnas.onnx.writer import write_onnx
from hwnas.search.archive import Evaluation
from hwnas.search.objectives import make_objectives
from hwnas.search.problem import Problem
from hwnas.select.choose import select_by_prediction as select
from hwnas.select.guaranteed import choose_guaranteed, measure_as_tables
from lut.estimate.correction import Interval
from lut.estimate.roofline import estimate
from profilers.base import Options, TimingPlan
from profilers.errors import BadInput, EngineUnavailable
from profilers.registry import get_profiler
from profilers.timing.fingerprint import fingerprint
from profilers.timing.measurement import Measurement
from tests.hwnas.searching import SPACE, genes

NAMES = ("top1", "params", "cpu_ms")
COUNT = 6


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """As if measured here on the simulated device, with an interval of -10 % to +10 %."""
    made = estimate(SPACE, "GTX 1080 Ti", 1)
    profiler, options = get_profiler("fake"), Options()
    interval = Interval(0.9, 1.1, 0.95, 10)
    table = replace(made, status="measured", method="in-context", options=options, interval=interval,
                    fingerprint=fingerprint(profiler, options))  # fmt: skip
    path = tmp_path_factory.mktemp("tables") / "cpu.json"
    lut.save(table, path)
    return path


@pytest.fixture
def case(table):
    """Problem, rows and tables; the slower, the more accurate."""
    objectives = make_objectives(SPACE, NAMES, {"cpu_ms": table})
    coded = genes(100)
    ms = objectives["cpu_ms"].evaluate(coded)
    _, distinct = np.unique(ms.round(9), return_index=True)
    order = distinct[np.linspace(0, len(distinct) - 1, COUNT).astype(int)]
    rows = []
    for place, i in enumerate(order):
        arch = SPACE.decode(coded[i : i + 1])[0]
        values = {"top1": 80.0 + place, "params": 1000.0 + place, "cpu_ms": float(ms[i])}
        rows.append(Evaluation(place, 0, "ok", arch, tuple(coded[i].tolist()), values, None, 0.0))
    return Problem(SPACE, objectives, NAMES), rows, {"cpu_ms": lut.load(table)}


def never(name, rows):
    raise AssertionError("nothing was to be measured")


def measured(row, ms):
    return Measurement(row.arch.id, ms, 0.99 * ms, 1.01 * ms)


def ids(found):
    return {c.evaluation.number for c in found.choices}


def test_the_upper_end_counts(case):
    problem, rows, tables = case
    limit = 1.1 * rows[2].objectives["cpu_ms"] * (1 + 1e-9)
    reach = [r.number for r in rows if 1.1 * r.objectives["cpu_ms"] <= limit]
    sure = choose_guaranteed(problem, rows, tables, lambda name, rows: {}, budget={"cpu_ms": limit}, n=COUNT)
    assert ids(sure) == set(reach) == {0, 1, 2}
    middle = {c.evaluation.number for c in select(problem, rows, budget={"cpu_ms": limit}, n=COUNT)}
    assert middle >= ids(sure)


def test_what_reaches_over_is_measured_and_offered_only_if_it_holds(case):
    problem, rows, tables = case
    values = [r.objectives["cpu_ms"] for r in rows]
    limit = values[4] * (1 + 1e-9)  # network 4 lies on the limit, whatever lies within 10 % of it is open too
    asked: list[int] = []

    def measure(name, rows):
        asked.extend(r.number for r in rows)
        factor = {4: 0.97, 5: 1.02}
        return {r.arch.id: measured(r, limit * factor.get(r.number, 0.9)) for r in rows}

    found = choose_guaranteed(problem, rows, tables, measure, budget={"cpu_ms": limit}, n=COUNT)
    still_open = {r.number for r, v in zip(rows, values, strict=True) if 0.9 * v <= limit < 1.1 * v}
    assert 4 in still_open and set(asked) == still_open and len(asked) == len(set(asked))
    assert 4 in ids(found) and 5 not in ids(found)
    row = next(found.to_json(c, problem) for c in found.choices if c.evaluation.number == 4)
    assert row["measured"]["cpu_ms"]["ms"] == pytest.approx(0.97 * limit)
    assert all(found.to_json(c, problem)["objectives"]["top1"] >= 80 for c in found.choices)


def test_only_what_would_be_offered_is_measured(case):
    problem, rows, tables = case
    asked: list[int] = []

    def measure(name, rows):
        asked.extend(r.number for r in rows)
        return {r.arch.id: measured(r, 0.0) for r in rows}

    limit = rows[-1].objectives["cpu_ms"]
    found = choose_guaranteed(problem, rows, tables, measure, budget={"cpu_ms": limit}, n=1)
    assert asked == [5] and ids(found) == {5}


def test_where_nothing_can_be_measured_the_sure_ones_are_offered_and_it_is_said(case):
    problem, rows, tables = case

    def measure(name, rows):
        raise EngineUnavailable("device: other here, this there")

    limit = rows[4].objectives["cpu_ms"]
    found = choose_guaranteed(problem, rows, tables, measure, budget={"cpu_ms": limit}, n=COUNT)
    assert ids(found) == {r.number for r in rows if 1.1 * r.objectives["cpu_ms"] <= limit}
    assert len(found.notes) == 1 and "device: other here" in found.notes[0] and "--optimistic" in found.notes[0]
    with pytest.raises(BadInput, match="guaranteed to keep cpu_ms"):
        choose_guaranteed(problem, rows, tables, measure, budget={"cpu_ms": rows[0].objectives["cpu_ms"]}, n=COUNT)


def test_one_that_cannot_be_timed_is_not_offered(case):
    problem, rows, tables = case
    limit = rows[-1].objectives["cpu_ms"]
    found = choose_guaranteed(problem, rows, tables, lambda name, rows: {}, budget={"cpu_ms": limit}, n=COUNT)
    assert 5 not in ids(found)


def test_counts_and_estimates_have_no_interval(case):
    problem, rows, tables = case
    estimated = {"cpu_ms": replace(tables["cpu_ms"], status="estimated")}
    limit = rows[3].objectives["cpu_ms"]
    found = choose_guaranteed(
        problem, rows, estimated, never, budget={"cpu_ms": limit, "params": 1003, "top1": 82}, n=COUNT
    )
    assert ids(found) == {2, 3}
    assert ids(choose_guaranteed(problem, rows, tables, never, budget={}, n=2)) == {5, 0}


def test_the_runs_own_budget_holds_too(case):
    problem, rows, tables = case
    limited = Problem(SPACE, problem.objectives, NAMES, {"cpu_ms": rows[4].objectives["cpu_ms"]})
    found = choose_guaranteed(limited, rows, tables, lambda name, rows: {}, budget={}, n=COUNT)
    assert 4 not in ids(found) and 5 not in ids(found)


def test_networks_are_measured_as_the_table_was(case):
    problem, rows, tables = case
    plan = TimingPlan(min_rounds=3, max_rounds=4, warmup_runs=1, warmup_max_runs=1)
    found = measure_as_tables(problem, tables, plan)("cpu_ms", rows[:2])
    assert set(found) == {row.arch.id for row in rows[:2]}
    for row in rows[:2]:
        model = write_onnx(SPACE.layers(row.arch))
        with get_profiler("fake").load(model, Options()) as session:
            before = session.clock.wall()
            session.run()
            true = 1e3 * (session.clock.wall() - before)
        one = found[row.arch.id]
        assert one.low <= one.ms <= one.high and one.ms == pytest.approx(true, rel=0.3)
        assert (one.state, one.estimator) == (tables["cpu_ms"].options.state, plan.estimator)


def test_measuring_refuses_another_device_and_tables_that_were_not_measured(case):
    problem, rows, tables = case
    table = tables["cpu_ms"]
    other = replace(table, fingerprint=replace(table.fingerprint, device="Another CPU"))
    with pytest.raises(BadInput, match="Another CPU"):
        measure_as_tables(problem, {"cpu_ms": other})("cpu_ms", rows)
    with pytest.raises(BadInput, match="not measured"):
        measure_as_tables(problem, {"cpu_ms": replace(table, fingerprint=None, status="imported")})("cpu_ms", rows)
