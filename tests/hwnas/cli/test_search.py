"""`hwnas search`, `archive` and `select` as a user meets them: JSON on stdout, one line and exit code 2 for errors."""

import json
import sys

import pytest

from hwnas.cli import main
from tests.hwnas.searching import SPACE

CONFIG = """
space = "tiny"
accuracy = "python:my_accuracy:top1"
objectives = ["top1", "params", "madds"]
[search]
initial = 12
iterations = 1
per_iteration = 2
surrogate = "gp"
population = 12
generations = 2
"""


@pytest.fixture
def hwnas(capfd):
    """Run a command line; gives (exit code, stdout, stderr)."""

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return caught.value.code, out, err

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "my_accuracy", raising=False)  # of another test's folder
    (tmp_path / "c.toml").write_text(CONFIG)
    (tmp_path / "my_accuracy.py").write_text(
        "def top1(arch):\n    return 99 - 900 / (sum(arch['ks']) * 4 + arch['r'])\n"
    )
    return tmp_path


def test_search_then_archive_then_select(hwnas, folder):
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "run", "--seed", 3)
    figures = json.loads(out)
    assert code == 0 and figures["evaluations"] == 14 and figures["failed"] == 0 and figures["front"] >= 2
    assert "seed = 3" in (folder / "run/run.toml").read_text()

    code, out, err = hwnas("archive", folder / "run")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(rows) == 14 and set(rows[0]["objectives"]) == {"top1", "params", "madds"}
    code, out, err = hwnas("archive", folder / "run", "--format", "csv")
    assert len(out.splitlines()) == 15

    limit = sorted(row["objectives"]["madds"] for row in rows)[7]
    code, out, err = hwnas("select", folder / "run", "--budget", f"madds<={limit:.0f}", "-n", 2)
    chosen = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and 1 <= len(chosen) <= 2 and "exact" in err
    assert all(row["objectives"]["madds"] <= limit and SPACE.parse(row["arch"]) for row in chosen)

    code, again, err = hwnas("search", folder / "c.toml", "--out", folder / "run", "--seed", 3, "--resume")
    assert code == 0 and json.loads(again)["hypervolume"] == figures["hypervolume"]


def test_a_budget_that_runs_out_ends_well(hwnas, folder):
    settings = ("--set", "resolutions=[12]", "--set", "budget.params=15274")
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "run", *settings)
    figures = json.loads(out)
    assert code == 0 and figures["evaluations"] == 2 and "after 2 networks no new one" in figures["ended_early"]
    assert figures["ended_early"] in err and "Traceback" not in err


@pytest.mark.slow
def test_workers_change_nothing(hwnas, folder):
    figures = []
    for name, options in (("one", []), ("two", ["--workers", 2]), ("own", ["--executor", "processes"])):
        code, out, err = hwnas("search", folder / "c.toml", "--out", folder / name, *options)
        assert code == 0
        figures.append({k: v for k, v in json.loads(out).items() if k != "run" and not k.startswith("seconds")})
    assert figures[0] == figures[1] == figures[2]
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "no", "--executor", "ray", "--workers", 2)
    assert code == 2 and "workers of processes" in err


def test_init_from_and_insights(hwnas, folder):
    assert hwnas("search", folder / "c.toml", "--out", folder / "run")[0] == 0
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "next", "--init-from", folder / "run")
    assert code == 0 and str(folder / "run") in (folder / "next/run.toml").read_text()

    code, out, err = hwnas("insights", folder / "next", "--json")
    fronts = json.loads(out)["fronts"]
    assert code == 0 and [f["objectives"] for f in fronts] == [
        ["top1", "params"], ["top1", "madds"], ["top1", "params", "madds"]
    ]  # fmt: skip
    assert "Choices on the fronts" in err and hwnas("insights", folder / "next")[1] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "none.toml"], "cannot read"),
        (["search", "c.toml", "--set", "search.surogate=gp"], "try: surrogate"),
        (["search", "c.toml", "--set", 'accuracy="table:none.csv"'], "cannot read"),
        (["search", "c.toml", "--set", 'objectives=["top1", "cpu_ms"]'], "tables"),
        (
            ["search", "c.toml", "--set", 'objectives=["top1", "cpu_ms"]', "--set", 'tables.cpu_ms="x.json"'],
            "cannot read",
        ),
        (["search", "c.toml", "--set", "budget.params=1"], "smallest network"),
        (["search", "c.toml", "--init-from", "nowhere"], "holds no run"),
        (["archive", "nowhere"], "holds no run"),
        (["insights", "nowhere"], "holds no run"),
        (["select", "nowhere"], "holds no run"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(hwnas, folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    code, out, err = hwnas(*arguments)
    assert code == 2 and out == "" and message in err and len(err.strip().splitlines()) == 1
    assert not (folder / "runs").exists()


def test_every_accuracy_has_its_interval_and_ties_are_marked(hwnas, folder):
    settings = ("--set", "evaluate.images=36", "--set", "search.initial=30", "--set", "search.iterations=0")
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "run", *settings)
    assert code == 0
    code, out, err = hwnas("select", folder / "run", "-n", 3)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and all(row["images"] == 36 and row["top1_low"] < row["objectives"]["top1"] for row in rows)
    assert rows[0]["tied_with_best"] and "~ not significantly worse than the best" in " ".join(err.split())
    assert "networks that cannot be told apart on the same 36 images" in " ".join(err.split())
    code, out, err = hwnas("search", folder / "c.toml", "--out", folder / "no", "--set", "evaluate.images=0")
    assert code == 2 and "images = 0" in err
