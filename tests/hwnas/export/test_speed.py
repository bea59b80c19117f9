"""A latency as people ask for it: percentiles, images a second, ties; in datasheets, `validate` and the report."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hwnas.api.engine_tables import changes_table, export_row
from hwnas.export import datasheet
from hwnas.export.datasheet_builder import latency
from hwnas.export.engine_selection import EngineSelection
from hwnas.export.engines import ENGINES
from hwnas.export.quantity import Quantity
from hwnas.export.speed import overlap, rate, tails
from hwnas.export.validate import _percentiles, changes
from hwnas.report import speed_table
from hwnas.report.data import Engine
from hwnas.report.latency import speeds
from profilers.base import Options, TimingPlan
from profilers.timing.conditions import Conditions
from profilers.timing.estimator import summarise
from profilers.timing.measurement import Measurement
from tests.hwnas.export.test_engine_selection import candidate
from tests.hwnas.report_run import evaluations, full_run, sheet

HOT = Conditions("NVML", throttled=2, reasons=["heat, by hardware"], blocks=40, before={"other_processes": 1})
NONE = Quantity(None, "ms", "not measured: no table")


def measured(runs: int, conditions: Conditions = HOT) -> Measurement:
    """Of 2 ms in 40 blocks; every hundredth single run took 9 ms."""
    samples = summarise(2 + 0.001 * np.arange(40), np.ones(40), TimingPlan())
    single = np.where(np.arange(runs) % 100 == 0, 9.0, 2.0)
    return Measurement.of("a", replace(samples, runs=single, conditions=conditions))


def whole(runs: int = 700) -> dict:
    """A datasheet whose latency was measured now."""
    made = sheet(evaluations(1, 1)[0])
    found = latency(NONE, measured(runs), ENGINES["onnxruntime"], Options(batch=8), "")
    found = {**found, "interrupted": made["latency"]["interrupted"]}
    return json.loads(json.dumps({**made, "engine": {**made["engine"], "batch": 8}, "latency": found}))


def test_percentiles_are_bounds_or_say_how_many_runs_are_needed():
    found = tails(measured(700))
    assert (found["p90"].value, found["p99"].value) == (2.0, 9.0)
    assert found["p99"].how.startswith("measured: 99 % of runs are as quick, 99 % sure; 700 single runs as they were")
    few = tails(measured(70))["p99"]
    assert few.value is None and few.how == "not measured: 70 single runs, MLPerf's early-stopping rule needs 662"


def test_images_a_second_have_the_latencys_interval():
    found = measured(700)
    images = rate(found, 8, "measured: so")
    assert images.value == pytest.approx(8e3 / found.ms)
    assert (images.low, images.high) == (pytest.approx(8e3 / found.high), pytest.approx(8e3 / found.low))


def test_a_tie_is_an_overlap_and_needs_two_intervals():
    one = {"value": 2.0, "low": 1.9, "high": 2.1}
    assert overlap(one, {"value": 2.15, "low": 2.05, "high": 2.2}) is True
    assert overlap(one, {"value": 2.5, "low": 2.2, "high": 2.6}) is False
    assert overlap(one, {"value": 2.0}) is None


def test_a_datasheet_has_them_and_what_disturbed(tmp_path):
    content = whole()
    datasheet.write(tmp_path, {**content, "files": {}})
    found = datasheet.read(tmp_path)
    assert found["latency"]["throughput"]["value"] == pytest.approx(8e3 / found["latency"]["measured"]["value"])
    assert (
        found["latency"]["timing"]["percentiles"]["p99"]["value"] == 9.0 and found["latency"]["timing"]["runs"] == 700
    )
    page = (tmp_path / "datasheet.md").read_text()
    assert "| latency, back to back (steady), median | 2.019 ms, of 40 blocks |" in page
    assert "| latency, back to back (steady), p99 | 9 ms, measured: 99 % of runs are as quick" in page
    assert "| throughput, back to back (steady) | 396" in page
    assert "- 2 of 40 blocks ran while the device was throttled (heat, by hardware); rejected" in page
    assert "- 1 other process on the card while models were timed" in page
    row = export_row(found)
    assert (row["p90_ms"], row["p99_ms"]) == (2.0, 9.0) and row["images_s"] == found["latency"]["throughput"]["value"]


def test_a_datasheet_of_before_has_none_and_is_read(tmp_path):
    datasheet.write(tmp_path, {**sheet(evaluations(1, 1)[0]), "files": {}})
    found = datasheet.read(tmp_path)
    assert export_row(found)["images_s"] is None and "p99_ms" not in export_row(found)
    assert "median" not in (tmp_path / "datasheet.md").read_text()


def test_one_that_lacks_them_is_shown_without(tmp_path):
    content = whole()
    del content["latency"]["timing"]["percentiles"]
    datasheet.write(tmp_path, {**content, "files": {}})
    assert "p99" not in datasheet.markdown(datasheet.read(tmp_path))
    other = {"percentiles": {"p50": content["latency"]["measured"]}}
    assert _percentiles(other, whole()["latency"]["timing"]) == {}


def test_what_validate_finds_is_a_tie_within_the_intervals():
    was, now = whole(), measured(800)
    result = {
        "measured_ms": now.ms, "measured_low": now.low, "measured_high": now.high, "top1": None, "interrupted": None,
        "timing": whole()["latency"]["timing"], "runtime_costs": {},
    }  # fmt: skip
    found = changes(was, result)
    assert found["latency"]["tie"] is True and found["latency, p99"] == {
        "datasheet": 9.0, "here": 9.0, "unit": "ms", "change": 0.0, "tie": None,
    }  # fmt: skip
    slower = changes(was, {**result, "measured_ms": 3.0, "measured_low": 2.9, "measured_high": 3.1})
    assert slower["latency"]["tie"] is False
    cells = [next(iter(changes_table({"changes": each}).columns[3].cells)) for each in (found, slower)]
    assert cells == ["+0.0 % (tie)", "+48.6 %"]


def test_candidates_that_measuring_does_not_tell_apart_are_marked():
    rows = (candidate("fp32", 2.0), candidate("bf16", 2.01), candidate("int8", 3.0))
    found = EngineSelection(rows, rows[0].target, "", "").to_json()["candidates"]
    assert [c["tie"] for c in found] == [False, True, False]


def test_the_report_has_the_speed_of_every_engine_and_ranks_with_ties():
    run = full_run()
    before = run.chosen[0].sheet
    engines = [Engine(whole()), Engine({**whole(), "name": "b"}), Engine(before)]
    found = speeds(replace(run, chosen=engines))
    assert [str(s.place) for s in found] == ["1=", "1=", "1"]  # the last has another batch
    new, _, old = found
    assert (new.median, new.p90, new.p99, new.batch) == (2.0195, 2.0, 9.0, 8) and len(new.remarks) == 2
    assert new.images_s == pytest.approx(8e3 / new.ms) and new.how["p99"].startswith("measured: 99 %")
    assert (old.median, old.p90, old.p99, old.images_s, old.remarks) == (None, None, None, None, ())


def test_the_page_has_a_row_of_each_and_says_what_was_not_measured():
    run = full_run()
    before = run.chosen[0].sheet
    found = speed_table.table(replace(run, chosen=[Engine(whole()), Engine(before)]))
    new, old = sorted(found.rows, key=lambda row: row[0].range.endswith("batch 1"))
    assert [cell.text for cell in new[1:]] == ["1", new[2].text, "2.00", "9.00", new[5].text]
    assert " to " in new[2].range and len(new[0].warnings) == 2 and new[4].origin.how.startswith("measured: 99 %")
    assert [cell.text for cell in old[3:]] == ["–"] * 3
    assert all(cell.origin.kind == "not measured" for cell in old[3:])
    assert speed_table.table(replace(run, chosen=())) is None
