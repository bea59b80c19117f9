"""The parts of `tools.bench.finetuning`: what is measured is kept, and what a search chose is what is judged."""

from __future__ import annotations

import pytest

from hwnas.data import get_dataset
from hwnas.nets import Supernet
from hwnas.nets.checkpoint import Provenance, save_supernet
from hwnas.space import get_space
from hwnas.train.evaluate import top1
from tools.bench.finetuning import Bench, Case, timed, verdict

SPACE = get_space("tiny", [12, 16])


@pytest.fixture
def bench(tmp_path):
    digits = get_dataset("digits")
    provenance = Provenance(digits.name, digits.mean, digits.std)
    save_supernet(tmp_path / "s.safetensors", Supernet(SPACE), provenance)
    return Bench(Case(digits, SPACE, tmp_path / "s.safetensors"), tmp_path, seconds=1.0, networks=3, final=1)


def test_what_is_finished_is_not_done_again(bench):
    assert bench.once("a", lambda: 3) == 3
    again = Bench(bench.case, bench.folder, 1.0, 3, 1)
    assert again.once("a", lambda: pytest.fail("done again")) == 3


def test_a_search_ends_in_time_and_its_best_within_the_budget_is_judged(bench, monkeypatch):
    small, large = SPACE.extremes(16)
    assert bench.madds(small) < bench.budget < bench.madds(large)
    bench.known["0 epochs x"] = (50.0, 0.2)
    told = bench.searched(0)
    assert told and all(0 <= row["top1"] <= 100 for row in told)
    pairs = ((small, 60), (large, 90))
    rows = [{"id": a.id, "arch": a.to_json(), "top1": t, "madds": bench.madds(a)} for a, t in pairs]
    monkeypatch.setattr(bench, "searched", lambda _: rows)
    monkeypatch.setattr(bench, "finished", lambda arch: 70.0 if SPACE.parse(arch) == small else 99.0)
    found = bench.search(0)
    assert (found["evaluations"], found["seen_top1"], found["top1"]) == (2, 60, 70.0)
    assert found["wilson_95"][0] < 70 < found["wilson_95"][1]


def test_the_engine_answers_as_the_network(bench, monkeypatch):
    arch = SPACE.extremes(12)[0]
    network = bench.source(0).network(arch)
    monkeypatch.setattr(bench, "trained", lambda _: (network, 0.0))
    assert bench.finished(arch.to_json()) == pytest.approx(top1(network, bench.case.dataset, "test", 12), abs=0.01)
    found, seconds = timed(bench.source(0), arch)
    assert 0 <= found <= 100 and seconds > 0


@pytest.mark.parametrize(
    ("tuned", "low", "said"),
    [
        (80.0, 75.0, "digits: it does not pay; 0 epochs: tau 0.5, 9 evaluations, 90.0 %; 5 epochs"),
        (92.0, 88.0, "no difference can be told (5 epochs lead by 2.00 points)"),
        (98.0, 95.0, "it pays: 5 epochs lead by 8.00 points"),
    ],
)
def test_the_verdict(tuned, low, said):
    plain = {"kendall_tau": 0.5, "evaluations": 9, "top1": 90.0, "wilson_95": [85.0, 94.0]}
    rows = {"0": plain, "5": {**plain, "top1": tuned, "wilson_95": [low, 99.0]}}
    assert said in verdict("digits", {"epochs": rows})
