"""One rule for what is offered: `select`, `export RUN` and `compare RUN` choose the same; the report says its best."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

import lut
from hwnas.export.run_source import RunSource
from hwnas.report import load_run
from hwnas.report.summary import keeps, paragraph, tiles
from hwnas.report.tables import picked
from hwnas.search.front import front, may_be_chosen
from hwnas.search.run import open_run
from hwnas.select.choose import select_by_prediction as select
from hwnas.select.guaranteed import choose_guaranteed, select_from_run
from lut.estimate.correction import Interval
from lut.estimate.roofline import estimate
from profilers.base import Options
from profilers.errors import BadInput, EngineUnavailable
from profilers.registry import get_profiler
from profilers.timing.fingerprint import fingerprint
from profilers.timing.measurement import Measurement
from tests.hwnas.report_run import full_run
from tests.hwnas.searching import SPACE, genes, run_search

NAMES = ("top1", "params", "cpu_ms")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run whose table was measured on a device that is not here, with an interval of -10 % to +10 %."""
    place = tmp_path_factory.mktemp("rule")
    made, profiler = estimate(SPACE, "GTX 1080 Ti", 1), get_profiler("fake")
    here = fingerprint(profiler, Options())
    table = replace(made, status="measured", method="in-context", options=Options(),
                    interval=Interval(0.9, 1.1, 0.95, 10), fingerprint=replace(here, device="Another CPU"))  # fmt: skip
    lut.save(table, place / "cpu.json")
    limit = float(np.quantile(table.bind(SPACE).predict(genes(200)).ms, 0.3))
    changes = {"objectives": NAMES, "tables": {"cpu_ms": place / "cpu.json"}, "budget": {"cpu_ms": limit}}
    with run_search(place / "r", iterations=1, initial=30, **changes):
        pass
    return place / "r"


def test_all_offer_the_same_and_leave_out_what_is_unsure(folder):
    with open_run(folder) as run:
        offered = select_from_run(run)
        expected = [c.evaluation.arch.id for c in offered.choices]
        unsure = [c.evaluation for c in select(run.problem, run.archive.evaluations(), n=100)]
        limit = run.config.budget["cpu_ms"]
    assert any(1.1 * row.objectives["cpu_ms"] > limit for row in unsure)  # else there would be nothing to tell apart
    with RunSource(folder) as source:
        assert source.ids == expected and source.notes == offered.notes and "Another CPU" in source.notes[0]
        assert all(1.1 * row.objectives["cpu_ms"] <= limit for row in source.rows.values())
    with RunSource(folder, front=True) as source:
        numbers = [row.number for row in source.rows.values()]
        assert set(expected) <= set(source.ids) and numbers == sorted(numbers)
        assert all(1.1 * row.objectives["cpu_ms"] <= limit for row in source.rows.values())
    with RunSource(folder, optimistic=True) as source:
        assert source.ids == [row.arch.id for row in unsure][:4] or set(source.ids) != set(expected)


def limits(run):
    """Latencies at which the choice may change, within the run's own budget: ends and middles of the intervals."""
    ms = np.array([row.objectives["cpu_ms"] for row in run.archive.evaluations()])
    found = np.unique(np.concatenate([0.9 * ms, ms, 1.1 * ms])) * (1 + 1e-9)
    return found[found <= run.config.budget["cpu_ms"]]


def refuse(name, rows):
    raise EngineUnavailable("another device")


def noisy(name, rows):
    """Measured up to 8 % off the prediction: what dominates a network may break a limit that this one keeps."""
    found = {}
    for row in rows:
        ms = np.random.default_rng(row.number).uniform(0.92, 1.08) * row.objectives["cpu_ms"]
        found[row.arch.id] = Measurement(row.arch.id, ms, ms, ms)
    return found


def test_weights_are_kept_of_all_networks_that_the_rule_may_offer(folder):
    """Whatever the limit, and whether or not networks can be measured."""
    offered, rng = set(), np.random.default_rng(0)
    with open_run(folder) as run:
        rows = [  # many of them are dominated by one that is hardly faster
            replace(row, objectives={**row.objectives, "top1": rng.uniform(60, 90), "params": 1000.0})
            for row in run.archive.evaluations()
        ]
        kept = {row.arch.id for row in may_be_chosen(run.problem, rows, run.tables)}
        by_the_middle = {row.arch.id for row in front(run.problem, rows)}
        for limit in limits(run):
            for measure in (refuse, noisy):
                with suppress(BadInput):
                    found = choose_guaranteed(
                        run.problem, rows, run.tables, measure, budget={"cpu_ms": limit}, n=len(rows)
                    )
                    offered |= {c.evaluation.arch.id for c in found.choices}
    assert offered | by_the_middle <= kept and len(kept) < len(rows)
    assert offered - by_the_middle  # the front by predictions alone would lose some


def test_a_network_that_is_named_is_taken(folder):
    with open_run(folder) as run:
        largest = run.archive.evaluations()[1]
    with RunSource(folder, [largest.arch.id]) as source:
        assert source.ids == [largest.arch.id]
    with pytest.raises(BadInput, match="not an evaluated network"):
        RunSource(folder, ["none"])


def test_the_reports_best_keeps_the_budget(folder):
    run = load_run(folder)
    ms, top1 = run.values[:, 2], run.values[:, 0]
    limit = run.budgets["cpu_ms"]
    assert top1.argmax() == 1 and ms[1] > limit  # the anchor is the best of all
    best = top1[1.1 * ms <= limit].max()
    tile = next(t for t in tiles(run) if "Best" in t.name)
    assert tile.name == "Best top-1 accuracy within the budget" and tile.value == f"{best:.1f} %"
    assert 1 not in picked(run) and (1.1 * ms[picked(run)] <= limit).all()
    assert f"Of the {(1.1 * ms <= limit).sum()} that meet the budget" in paragraph(run)


def test_a_report_where_none_keeps_the_budget(folder):
    run = load_run(folder)
    low = run.values[:, 2].min()
    tight = replace(run, budgets={"cpu_ms": 1.05 * low})
    assert (
        not tight.within_budgets.any() and tight.possibly_within_budgets.any() and "certain to meet" in paragraph(tight)
    )
    assert "point prediction" in next(t for t in tiles(tight) if "Best" in t.name).note
    none = replace(run, budgets={"cpu_ms": 0.5 * low})
    assert next(t for t in tiles(none) if "Best" in t.name).value == "none"


def test_an_engine_is_judged_by_what_was_measured_of_it():
    run = full_run()
    engine = run.chosen[0]
    ms = engine.sheet["latency"]["measured"]["value"]
    assert keeps(replace(run, budgets={"cpu_ms": 1.01 * ms}), engine)
    assert not keeps(replace(run, budgets={"cpu_ms": 0.99 * ms}), engine)
    tile = next(t for t in tiles(replace(run, budgets={"cpu_ms": 0.01})) if "Best" in t.name)
    assert "exported" not in tile.name
