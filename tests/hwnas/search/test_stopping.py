"""A search that ends when it has what was asked for, and goes on where the rule is taken away."""

import json
import math

import pytest

import hwnas
from hwnas.search.stopping import Stop, reason

FIGURES = [{"iteration": k, "hypervolume": v, "seconds": 2.0} for k, v in enumerate((0.5, 0.6, 0.6001, 0.6002))]


@pytest.mark.parametrize(
    ("stop", "best", "words"),
    [
        (Stop(), 99.0, ""),
        (Stop(top1=80), 79.9, ""),
        (Stop(top1=80), math.nan, ""),
        (Stop(top1=80), 80.0, "top1 80.00 within the budget, 80 was wanted"),
        (Stop(seconds=8.1), 0.0, ""),
        (Stop(seconds=8), 0.0, "8 s, 8 were allowed"),
        (Stop(stalled=2), 0.0, "in 2 iterations the hypervolume has grown from 0.6000 to 0.6002 only"),
        (Stop(stalled=3), 0.0, ""),
        (Stop(stalled=4), 0.0, ""),
        (Stop(stalled=2, growth=1e-4), 0.0, ""),
    ],
)
def test_rules(stop, best, words):
    found = reason(stop, FIGURES, best)
    assert found == (f"stopped after iteration 3: {words}" if words else "")


def test_nothing_is_known_before_the_first_iteration():
    assert reason(Stop(top1=2, seconds=1, stalled=1), [], 90.0) == ""


def top1(arch):
    return 60 + arch["r"] / 10


def search(out, **stop):
    return hwnas.search(
        "tiny", top1, objectives=["top1", "params"], initial=8, iterations=4, per_iteration=2, out=out,
        settings={"search": {"stop": stop}},
    )  # fmt: skip


def rows(run):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.rows()]


def test_a_stopped_search_is_finished_and_goes_on_without_the_rule(tmp_path, capfd):
    run = search(tmp_path / "run", top1=61)
    assert len(run.networks) == 8 and "stopped after iteration 0: top1" in run.ended_early
    again = search(tmp_path / "run", top1=61)
    assert again.ended_early == run.ended_early and len(again.networks) == 8
    whole = search(tmp_path / "run")
    assert len(whole.networks) == 16 and not whole.ended_early
    assert rows(whole) == rows(search(tmp_path / "other"))


def test_by_seconds_it_ends_after_an_iteration(tmp_path):
    run = search(tmp_path / "run", seconds=1e-6)
    assert len(run.networks) == 8 and "1e-06 were allowed" in run.ended_early


def test_in_a_file(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stopped_top1.py").write_text("def top1(arch): return 60 + arch['r'] / 10")
    text = 'space = "tiny"\naccuracy = "python:stopped_top1:top1"\n[search]\ninitial = 8\niterations = 1\n'
    (tmp_path / "c.toml").write_text(text + "[search.stop]\ntop1 = 61\n")
    from hwnas.cli import main

    with pytest.raises(SystemExit) as end:
        main(["search", "c.toml"])
    out, _ = capfd.readouterr()
    assert end.value.code == 0 and json.loads(out)["ended_early"].startswith("stopped after iteration 0")
    (tmp_path / "c.toml").write_text(text + "[search.stop]\ntop = 61\n")
    with pytest.raises(SystemExit) as end:
        main(["search", "c.toml"])
    assert end.value.code == 2 and "top1" in capfd.readouterr().err
