"""From a run's folder to the report: a real archive and tables, datasheets written by the exporter's own writer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import lut
from hwnas.cli import main
from hwnas.export import datasheet
from hwnas.report import load_run, summary, thinning
from hwnas.search.config_files import parse
from hwnas.search.driver import search
from hwnas.search.front import may_be_chosen
from hwnas.search.run import create_run, open_run
from profilers.errors import BadInput, FileProblem
from tests.hwnas.report_run import DEVICE, SPACE, gpu_table, sheet, table


class Guess:
    """A deterministic accuracy that fails for every tenth network."""

    def __init__(self) -> None:
        self.count = 0

    def evaluate(self, arch):
        self.count += 1
        if self.count % 10 == 0:
            raise ValueError("no <memory>")
        return 80 + sum(arch.ks) / 10 + arch.r / 10


def make_run(folder, parent, seed=1, **settings):
    values = {
        "space": "tiny",
        "accuracy": "table:known.csv",
        "objectives": ["top1", "params", "madds", "cpu_ms", "gpu_ms"],
        "seed": seed,
        "tables": {"cpu_ms": "cpu.json", "gpu_ms": "gpu.json"},
        "budget": {"cpu_ms": 0.08},
        "hypervolume": {"top1": [70, 95]},
        "search": {
            "initial": 12,
            "iterations": 2,
            "per_iteration": 4,
            "surrogate": "rbf",
            "population": 8,
            "generations": 2,
            **settings,
        },
    }
    with create_run(folder, parse(values, parent, "test")) as run:
        search(run, Guess())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    parent = tmp_path_factory.mktemp("report")
    lut.save(table(), parent / "cpu.json")
    lut.save(gpu_table(), parent / "gpu.json")
    run = parent / "demo"
    make_run(run, parent)
    for seed in (1, 2):
        make_run(run / "compare" / f"random-{seed}", parent, seed, strategy="random")
    make_run(run / "compare" / "again", parent, 2)
    make_run(run / "compare" / "nsga2", parent, strategy="nsga2")
    data = load_run(run)
    for row in (data.done[0], data.done[5]):
        engine = run / "engines" / row.arch.id
        engine.mkdir(parents=True)
        (engine / "model.onnx").write_bytes(row.arch.id.encode())
        datasheet.write(engine, {**sheet(row), "files": datasheet.file_facts(engine, ["model.onnx"])})
    (run / "engines" / ".half").mkdir()
    (run / "engines" / ".half" / "datasheet.json").write_text("{")
    return run


def test_everything_is_there(folder):
    run = load_run(folder)
    assert (run.name, run.space.signature, len(run.rows), run.failed) == ("demo", SPACE.signature, 20, 2)
    assert [o.name for o in run.objectives] == ["top1", "params", "madds", "cpu_ms", "gpu_ms"]
    assert [o.how.split(":")[0] for o in run.objectives] == ["imported", "exact", "exact", "predicted", "estimated"]
    assert DEVICE in run.objectives[3].how
    assert [(s.evaluations, s.surrogate is None) for s in run.iterations] == [(12, True), (16, False), (20, False)]
    assert run.iterations[2].rmse > 0 and run.iterations[2].seconds > 0
    assert {p.evaluations for p in run.random} == {12, 16, 20} and len(run.random) == 6
    assert len(run.repeats) == 3
    assert run.budgets == {"cpu_ms": 0.08} and 'space = "tiny"' in run.config
    assert sorted(e.link for e in run.chosen) == sorted(f"engines/{e.sheet['name']}" for e in run.chosen)
    assert len(run.marked) == 2


def test_a_failed_evaluation_keeps_its_error(folder):
    assert load_run(folder).rows[9].error == "ValueError: no <memory>"


@pytest.mark.slow
def test_the_command_writes_it(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder), "--out", str(tmp_path / "out" / "r.html")])
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    html = (tmp_path / "out" / "r.html").read_text()
    assert said == {"report": str(tmp_path / "out" / "r.html"), "bytes": len(html.encode())}
    link = load_run(folder, seen_from=tmp_path / "out").chosen[0].link
    assert (tmp_path / "out" / link / "datasheet.json").is_file()
    assert f'href="{link}"' in html


def test_without_out_it_lies_in_the_run(folder, capsys):
    with pytest.raises(SystemExit):
        main(["report", str(folder)])
    assert json.loads(capsys.readouterr().out)["report"] == str(folder / "report.html")
    assert (folder / "report.html").is_file()


def test_no_run_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_a_run_of_another_problem_is_not_compared(folder, tmp_path):
    make_run(tmp_path / "other", folder.parent, strategy="random")
    assert len(load_run(folder, compare=[tmp_path / "other"]).random) == 9
    values = {"space": "tiny", "accuracy": "table:x", "objectives": ["top1", "params"], "search": {"initial": 4}}
    create_run(tmp_path / "less", parse(values, folder.parent, "test")).archive.close()
    with pytest.raises(BadInput, match="another problem"):
        load_run(folder, compare=[tmp_path / "less"])


def test_a_missing_run_to_compare_with(folder, tmp_path):
    with pytest.raises(FileProblem, match="holds no run"):
        load_run(folder, compare=[tmp_path])


def test_an_altered_engine_is_refused(folder):
    model = next((folder / "engines").glob("*/model.onnx"))
    before = model.read_bytes()
    model.write_bytes(b"other")
    with pytest.raises(BadInput, match="SHA-256"):
        load_run(folder)
    model.write_bytes(before)
    assert replace(load_run(folder), rows=()).failed == 0


class TestThinning:
    """A page of very many networks shows whatever may be chosen, and some of the rest."""

    @pytest.fixture
    def small(self, monkeypatch):
        monkeypatch.setattr(thinning.thinned, "__defaults__", ((), 12))

    def test_what_may_be_chosen_and_every_failure_stays(self, folder, small):
        with open_run(folder) as run:
            rows = run.archive.evaluations()
            kept, gone = thinning.thinned(run, rows)
            chosen = may_be_chosen(run.problem, rows, run.tables)
        assert {row.arch.id for row in chosen} <= {row.arch.id for row in kept} < {row.arch.id for row in rows}
        assert [row for row in rows if row.error] == [row for row in kept if row.error] != []
        assert gone.networks == len(rows) - len(kept) >= gone.initial > 0 and kept == sorted(
            kept, key=lambda e: e.number
        )

    def test_a_network_that_was_exported_stays(self, folder, small):
        with open_run(folder) as run:
            rows = run.archive.evaluations()
            gone = {row.arch.id for row in rows} - {row.arch.id for row in thinning.thinned(run, rows)[0]}
            assert gone and gone < {row.arch.id for row in thinning.thinned(run, rows, gone)[0]}

    def test_the_page_says_so_and_counts_all(self, folder, small):
        whole = load_run(folder)
        assert whole.left_out.networks > 0
        text = summary.paragraph(whole)
        assert f"This page shows {len(whole.done)}" in text and f"{whole.evaluated} were evaluated" in text
        assert "12 initial" in summary.tiles(whole)[0].note
