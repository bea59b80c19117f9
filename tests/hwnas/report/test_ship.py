"""What the report says first, and what is said of each engine beside its numbers."""

from __future__ import annotations

import copy
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from hwnas.compare import elsewhere as compared
from hwnas.export import datasheet, elsewhere
from hwnas.report import Engine, csv_text, failures, known, limits, marks, sections, tables
from hwnas.report.ship import ship
from hwnas.report.tables import weights
from profilers.errors import BadInput
from profilers.files import write_json
from tests.hwnas.report_run import full_run, sheet


@pytest.fixture(scope="module")
def run():
    return full_run()


def engine(row, seed=0, *, top1=None, ms=None, **more):
    """An engine of a row, with an accuracy (and its interval) and a latency of its own."""
    made = copy.deepcopy(sheet(row, seed)) | more
    if top1 is not None:
        made["accuracy"]["top1"] |= {"value": top1, "low": top1 - 1, "high": top1 + 1}
    if ms is not None:
        made["latency"]["measured"] |= {"value": ms, "low": ms, "high": ms}
    return Engine(made, f"engines/{made['name']}", f"runs/demo/engines/{made['name']}")


def inside(run, count):
    return [run.done[int(i)] for i in np.flatnonzero(run.within_budgets)[:count]]


def test_the_most_accurate_engine_within_the_budget_is_shipped(run):
    a, b, c = inside(run, 3)
    over = engine(run.done[int(run.values[:, 3].argmax())], top1=99.9)
    best = engine(a, top1=95.0, ms=0.06)
    found = ship(replace(run, chosen=[over, best, engine(b, top1=94.8, ms=0.03), engine(c, top1=80.0, ms=0.02)]))
    assert found.id == a.arch.id and "within the budget" in found.verdict
    assert any("0.0750 ms: kept, 0.0150 ms (20.0 %) to spare at the upper end" in r for r in found.reasons)
    assert any("most accurate of 3 exported engines that keep the budget" in r for r in found.reasons)
    assert any("A tie" in r and "takes 50 % less time" in r for r in found.reasons)
    assert found.commands == [f"hwnas validate runs/demo/engines/{a.arch.id}"]
    assert "over the budget in CPU latency" in marks.warnings(replace(run, chosen=[over, best]), over)


def test_without_an_engine_the_network_that_select_would_offer_is_exported(run):
    found = ship(replace(run, chosen=(), folder="runs/my demo"))
    column = np.where(run.within_budgets, run.values[:, 0], 0.0)
    assert found.index == int(column.argmax()) and not found.warned
    assert found.commands[0].startswith(f"hwnas export 'runs/my demo' --id {found.id} --engine auto")
    assert any("to spare at the upper end of its interval" in reason for reason in found.reasons)


def test_what_is_over_the_budget_is_never_shipped(run):
    tight = float(run.values[:, 3].min())
    found = ship(replace(run, chosen=(), budgets={"cpu_ms": tight}))  # met by a point prediction alone
    assert found.warned and "--optimistic" in found.commands[0] and found.id == run.archs[run.values[:, 3].argmin()].id
    found = ship(replace(run, budgets={"cpu_ms": tight / 2}))
    assert found.id == "" and "Nothing to ship" in found.verdict
    assert any(f"comes to {tight:.4f} ms at best" in r for r in found.reasons)
    assert "no network has been evaluated" in ship(replace(run, rows=(), chosen=())).verdict
    assert "every evaluation failed" in ship(replace(run, rows=run.rows[-1:], chosen=())).verdict


def test_an_engine_that_another_beats_in_everything_is_marked(run):
    row = inside(run, 1)[0]
    slow, fast = engine(row, top1=90.0, ms=0.06), engine(row, top1=92.0, ms=0.05)
    both = replace(run, chosen=[slow, fast])
    assert marks.beats(both, fast, slow) and not marks.beats(both, slow, fast)
    assert "is as good or better in everything" in " ".join(marks.warnings(both, slow))
    assert marks.warnings(both, fast) == [] and "tied" not in " ".join(marks.remarks(both, fast))
    near = engine(row, top1=91.9, ms=0.04)
    assert marks.remarks(replace(run, chosen=[near, fast]), near)[0].startswith("tied with A")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inherited from supernet.safetensors (SHA-256 1), BatchNorm recalibrated on digits", "inherited weights"),
        ("inherited from s.safetensors, fine-tuned on digits again as in the search", "fine-tuned weights"),
        ("trained on digits (a.safetensors, SHA-256 1)", "fine-tuned weights"),
        ("random", "random weights"),
        ("given by the program", ""),
    ],
)
def test_engines_of_one_network_are_told_apart_by_their_weights(text, said):
    assert weights({"weights": text}) == said


def test_csv_has_full_digits_and_no_formula(run):
    evil = engine(inside(run, 1)[0], weights="=1+1")
    (row,) = csv.DictReader(io.StringIO(csv_text.engines(replace(run, chosen=[evil]), [evil])))
    assert float(row["latency_measured"]) == evil.sheet["latency"]["measured"]["value"]
    assert row["weights"] == "'=1+1" and json.loads(row["architecture"])["r"] == evil.sheet["architecture"]["r"]
    (row,) = csv.DictReader(io.StringIO(csv_text.networks(run, [0])))
    assert float(row["cpu_ms_high"]) == pytest.approx(1.03 * run.values[0, 3])
    assert csv_text.text([]) == ""


def test_failures_are_counted_by_reason(run):
    broken = [replace(run.rows[-1], error="no <memory>", objectives={}) for _ in range(5)]
    found = failures.table(replace(run, rows=[*run.rows, *broken]))
    assert [row[0].text for row in found.rows] == ["no <memory>", "no memory"] and found.rows[0][1].text == "5"
    assert failures.table(replace(run, rows=run.rows[:3])) is None


def test_sliders_span_all_values_and_begin_at_the_budget(run):
    found = {slider.objective: slider for slider in limits.sliders(run)}
    assert found[3].value == 0.075 and found[3].low <= run.values[:, 3].min()
    assert found[3].high >= 1.03 * run.values[:, 3].max() and found[1].value == found[1].high
    one = limits.sliders(replace(run, rows=run.rows[:1], budgets={}))
    assert all(slider.low <= slider.high and slider.step > 0 for slider in one)


def test_a_comparison_belongs_to_the_run(run, tmp_path):
    assert known.read(tmp_path) is None
    (tmp_path / "known").mkdir()
    path = tmp_path / "known" / "compare.json"
    path.write_text("[]")
    with pytest.raises(BadInput, match="is damaged"):
        known.read(tmp_path)
    rows = [
        {"name": "a", "source": "this search", "ms": 1.0, "low": 0.9, "high": 1.1, "params": 5e6, "top1": 90.0},
        {"name": "<b>", "source": "torchvision", "ms": None, "failed": "no memory", "imagenet_top1": 75.0},
    ]
    path.write_text(json.dumps({"networks": rows, "fingerprint": {"device": "X", "batch": 1}}))
    shown = known.table(known.read(tmp_path)).rows
    assert [cell.text for cell in shown[0][:4]] == ["a", "1.00", "90.0", "5.00"]
    assert shown[1][1].origin.how == "not measured: no memory" and shown[1][2].origin.kind == "imported"


def test_a_comparison_that_was_written_elsewhere_belongs_to_the_run(run, tmp_path):
    place, target = tmp_path / "run", tmp_path / "else"
    place.mkdir()
    write_json(target / "compare.json", {"networks": [{"name": "a", "ms": 1.0}]})
    compared.note(place, target)
    found = known.read_elsewhere(place)
    assert str(target) in known.about(found) and known.read(place) is None
    section = sections.beside_known(replace(run, known={"networks": []}, known_elsewhere=found))
    assert [str(target) in about for about, _ in section.content["shown"]] == [False, True]
    (place / "known" / "elsewhere.json").write_text('{"comparison": {"networks": [1]}}')
    with pytest.raises(BadInput, match="is damaged"):
        known.read_elsewhere(place)


def test_a_comparison_in_the_run_needs_no_note(tmp_path):
    write_json(tmp_path / "known" / "compare.json", {"networks": []})
    compared.note(tmp_path, tmp_path / "known")
    assert known.read_elsewhere(tmp_path) is None and known.read(tmp_path) == {"networks": []}


def test_engines_exported_elsewhere_belong_to_the_run(run, tmp_path):
    place, folder = tmp_path / "run", tmp_path / "else" / "a"
    for path in (place / "engines", folder):
        path.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"engine")
    datasheet.write(folder, {**sheet(run.done[0]), "files": datasheet.file_facts(folder, ["model.onnx"])})
    elsewhere.note(place, [folder])
    assert list(elsewhere.noted(place)) == []  # it is no run
    (place / "archive.sqlite").touch()
    elsewhere.note(str(place), [folder])
    elsewhere.note(place, [folder])
    ((found, said),) = elsewhere.noted(place)
    assert found["name"] == run.done[0].arch.id and said == str(folder.resolve())
    shown = tables.engines(replace(run, chosen=[Engine(found, None, said)])).rows[0][0]
    assert said in shown.range and shown.link == ""
    (note,) = (place / "exported").iterdir()
    note.write_text(note.read_text().replace('"supernet"', '"another"'))
    with pytest.raises(BadInput, match="was changed"):
        list(elsewhere.noted(place))
    note.write_text("[]")
    with pytest.raises(BadInput, match="is damaged"):
        list(elsewhere.noted(place))
