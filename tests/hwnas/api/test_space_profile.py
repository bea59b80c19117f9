"""`hwnas.space` and `hwnas space`: what a budget leaves before anything is evaluated."""

import json
import shutil

import pytest

import hwnas
from hwnas.api.space_profile import lines
from hwnas.cli import main


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("table") / "cpu.json"
    return out, hwnas.Device("fake").build_table("tiny", out, resolutions=[12, 16], budget_seconds=1)


@pytest.fixture
def table(built, tmp_path):
    shutil.copy(built[0], tmp_path)
    return built[1]


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(["space", *arguments])
    return end.value.code


def test_of_a_table(table):
    found = hwnas.space("tiny", tables={"cpu_ms": table}, resolutions=[12, 16])
    small, large = (table.predict([hwnas.Network(a, "tiny")])[0]["ms"] for a in table.space.extremes())
    spread = found.profile.objectives["cpu_ms"]
    assert spread.unit == "ms" and spread.smallest <= small < spread.median < large <= spread.largest
    assert "cpu_ms" in str(found) and "each as likely as any other" in found.remarks[-1]


def test_an_impossible_budget_names_the_nearest(table):
    least = hwnas.space("tiny", tables={"cpu_ms": table}, resolutions=[12, 16]).profile.objectives["cpu_ms"].smallest
    found = hwnas.space("tiny", tables={"cpu_ms": table}, resolutions=[12, 16], budget={"cpu_ms": least / 2})
    assert found.profile.share.value == 0 and found.nearest and not found.nearest.keeps
    assert found.nearest.values["cpu_ms"] == pytest.approx(least, rel=0.1)
    assert "is below the space's smallest network; nearest possible: at least" in found.remarks[0]


def test_a_budget_that_few_networks_keep_is_found_to_be_possible():
    space = hwnas.get_space("mbv3")
    smallest = sum(layer.params for layer in space.layers(space.extremes()[0]))
    found = hwnas.space("mbv3", budget={"params": smallest * 1.001})
    share = found.profile.share
    assert 0 < share.low < share.value < share.high < 1e-9 and found.nearest is None
    assert share.value * found.profile.size >= 1 and ", about " in found.remarks[0]
    assert "share: importance sampling, of 20,000 drawn near the budget" in found.remarks[1]


def test_a_table_is_tilted_by_its_sums(table):
    """Whatever its calibration."""
    of = {"tables": {"cpu_ms": table}, "resolutions": [12, 16]}
    spread = hwnas.space("tiny", **of).profile.objectives["cpu_ms"]
    limit = spread.smallest + (spread.lower_quartile - spread.smallest) / 10
    found = hwnas.space("tiny", **of, budget={"cpu_ms": limit}).profile
    assert found.share.how == "importance sampling" and 0 < found.share.value < 0.01


def test_budgets_that_exclude_each_other_give_the_nearest_network():
    tight = hwnas.space("small").profile.objectives["madds"].smallest
    found = hwnas.space("small", budget=[f"madds<={tight}", "params<=0.14M"])
    assert found.nearest and not found.nearest.keeps and "nearest network found" in found.remarks[2]
    assert hwnas.Network(dict(found.nearest.arch), "small").id


def test_the_command(tmp_path, table, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("tiny", "--resolutions", "12,16", "--table", "cpu.json", "--budget", "params<=60k") == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert found["objectives"]["cpu_ms"]["unit"] == "ms" and 0 < found["share"]["value"] < 1
    assert "within params 60k" in err and found["nearest"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "parms<=3M"], "unknown objective 'parms'"),
        (["--budget", "params>=3M"], "allowed: params <= a limit"),
        (["--table", "a.json", "--table", "b.json"], "a second one of cpu_ms"),
        (["--table", "missing.json"], "missing.json"),
    ],
)
def test_what_does_not_fit_is_one_line(options, words, capfd):
    assert run("tiny", *options) == 2
    out, err = capfd.readouterr()
    assert not out and err.count("\n") == 1 and words in err


def test_a_search_begins_with_two_lines(table, tmp_path):
    said = []
    (tmp_path / "its_top1.py").write_text("def top1(arch): return 60 + arch['r']")
    (tmp_path / "c.toml").write_text(
        'space = "tiny"\nresolutions = [12, 16]\naccuracy = "python:its_top1:top1"\nobjectives = ["top1", "cpu_ms"]\n'
        '[tables]\ncpu_ms = "cpu.json"\n[budget]\nparams = 80000\n[search]\ninitial = 4\niterations = 0\n'
    )
    from hwnas.api.searching import run_config
    from hwnas.search.checks import load

    run_config(load(tmp_path / "c.toml", [], tmp_path / "run"), tmp_path / "run", say=said.append)
    assert said[0].startswith("space tiny, ") and "cpu_ms" in said[0] and said[1].startswith("within params 80k: ")


def test_without_a_budget_that_is_said():
    assert lines(hwnas.get_space("tiny"), {}, {})[1] == "no budget"
