"""Files of at most 25 lines, an objective and an accuracy, through the command line and from Python."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest

import hwnas
from hwnas.cli import main
from hwnas.search.own_objectives import OwnObjective
from hwnas.testing import check_accuracy, check_objective

FILES = Path(__file__).with_name("own")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the files, which is the current one."""
    for path in FILES.glob("*.*"):
        shutil.copy(path, tmp_path)
    for name in ("power", "mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("power", "mine"):
        sys.modules.pop(name, None)


@pytest.fixture
def call(capfd):
    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(map(str, arguments)))
        out, err = capfd.readouterr()
        assert caught.value.code in (0, None), err
        return out, err

    return run


def test_they_are_short():
    for path in FILES.glob("*.*"):
        assert len(path.read_text().splitlines()) <= 25, path


def test_they_are_what_the_document_shows():
    text = (Path(__file__).parents[3] / "docs/objectives.md").read_text()
    assert all(path.read_text() in text for path in FILES.glob("*.*"))


def test_the_documents_checks_pass(place):
    check_objective("layers:power:millijoule")
    check_objective("network:power:evenness")
    check_accuracy(f"python:{place}/mine:top1", options={"batch": 8})


@pytest.mark.slow
def test_by_the_command_line(place, call):
    out, _ = call("search", "own.toml", "--out", "run")
    assert json.loads(out)["evaluations"] == 14
    for name in ("power.py", "mine.py", "own.toml"):  # from here on the run stands alone
        (place / name).unlink()
    shutil.move("run", "moved")
    out, err = call("select", "moved", "--budget", "peak_memory<=4KiB", "-n", 2)
    for line in out.splitlines():
        found = json.loads(line)
        assert found["objectives"]["peak_memory"] <= 4096 and found["obtained"]["energy_mj"] == "computed"
    assert "KiB" in err and "energy_mj" in err
    call("report", "moved", "--out", "r.html")
    page = Path("r.html").read_text()
    assert "Peak memory (KiB)" in page and "computed by layers:power:millijoule" in page
    call("export", "moved", "--engine", "onnxruntime", "--random-weights", "--out", "engines")
    sheets = [json.loads(path.read_text()) for path in Path("engines").glob("*/datasheet.json")]
    assert sheets and all(sheet["objectives"]["energy_mj"]["unit"] == "mJ" for sheet in sheets)


@pytest.mark.slow
def test_from_python(place):
    sys.path.insert(0, str(place))
    try:
        power, mine = (importlib.import_module(name) for name in ("power", "mine"))
    finally:
        sys.path.remove(str(place))
    own = [
        OwnObjective("energy_mj", layers=power.millijoule, unit="mJ"),
        OwnObjective("evenness", network=power.evenness, direction="maximise"),
    ]
    options = {"initial": 12, "iterations": 1, "per_iteration": 2, "surrogate": "gp"}
    more = {"search": {"population": 12, "generations": 2}, "objective": {"peak_memory": {"precision": "int8"}}}
    run = hwnas.search(
        "tiny", mine.top1, objectives=["top1", "peak_memory", *own], evaluate={"batch": 8, "images": 500}, seed=1,
        out="run", settings=more, **options,
    )  # fmt: skip
    by_file = hwnas.search_config("own.toml", "by_file")
    assert [e.objectives for e in run.evaluations] == [e.objectives for e in by_file.evaluations]
    engine = run.select("peak_memory<=4KiB", n=1)[0].export("onnxruntime", out="engine", random_weights=True)
    assert engine.datasheet["objectives"]["energy_mj"]["how"] == "computed by the program that searched"
