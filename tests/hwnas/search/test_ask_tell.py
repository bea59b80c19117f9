"""Ask and tell: the archive of one call with the same function, whatever the order, and after any number of kills."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.accuracy.unit import UnclearUnit
from hwnas.search.ask_tell import AskTell
from hwnas.search.run import create_run, open_run
from profilers.errors import BadInput
from tests.hwnas.search.test_strategies import empty_in, run_in, small
from tests.hwnas.searching import CONFIG, SMALL, Formula, contents, formula, run_search

ROOT = Path(__file__).resolve().parents[3]
BRIEF = replace(CONFIG, search=replace(SMALL, iterations=1))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with run_search(tmp_path_factory.mktemp("whole") / "r") as run:
        yield contents(run)


@pytest.fixture
def search(tmp_path):
    with AskTell.open(tmp_path / "r", BRIEF) as opened:
        yield opened


def test_in_any_order_the_archive_is_that_of_one_call(whole, tmp_path):
    rng = np.random.default_rng(0)
    with AskTell.open(tmp_path / "r", CONFIG) as search:
        while not search.finished:
            for i in rng.permutation(len(asked := search.ask(int(rng.integers(1, 8))))):
                search.tell(asked[i], formula(asked[i]))
        assert search.ask(3) == [] and search.remaining == 0
        assert contents(search.run) == whole


def test_told_from_threads(whole, tmp_path):
    with AskTell.open(tmp_path / "r", CONFIG) as search, ThreadPoolExecutor(4) as threads:
        while asked := search.ask(4):
            list(threads.map(lambda a: search.tell(a, top1=formula(a)), asked))
        assert contents(search.run) == whole


KILLED = """
import os, signal, sys
from hwnas.search.ask_tell import AskTell
from tests.hwnas.searching import CONFIG, formula
left = int(sys.argv[2])
with AskTell.open(sys.argv[1], CONFIG) as search:
    while asked := search.ask(3):
        for network in asked[::-1]:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            search.tell(network.id, top1=formula(network))
            left -= 1
"""


@pytest.mark.slow
def test_killed_and_continued_it_ends_in_the_same_archive(whole, tmp_path):
    for told, ended in ((7, -signal.SIGKILL), (11, -signal.SIGKILL), (99, 0)):
        found = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "r"), str(told)], cwd=ROOT, timeout=300)
        assert found.returncode == ended
    with open_run(tmp_path / "r") as run:
        assert contents(run) == whole


def test_failures_are_those_of_one_call(tmp_path):
    class Partly(Formula):
        def evaluate(self, arch):
            return {0: float("nan"), 1: 140.0, 2: -1.0}.get(sum(arch.ks) % 5, super().evaluate(arch))

    with run_search(tmp_path / "one", Partly(), iterations=1) as run:
        one = contents(run)
    source = Partly()
    with AskTell.open(tmp_path / "r", BRIEF) as search:
        while asked := search.ask(100):
            for network in asked:
                search.tell(network, source.evaluate(network))
        assert contents(search.run) == one
    assert {row["status"] for row in one[0]} == {"ok", "failed"}


def test_each_is_handed_out_once_and_again_when_all_are(search):
    first, second, none_new = search.ask(10), search.ask(10), search.ask(100)
    assert len(first) == 10 and len(second) == 6 and len(none_new) == 16
    assert {a.id for a in first + second} == {a.id for a in none_new} and search.remaining == 20
    search.tell(first[0], 60.0)
    assert first[0] not in search.ask(100) and search.remaining == 19


def test_an_error_is_a_failed_row(search):
    network, other = search.ask(2)
    search.tell(network.id, error="out of memory", seconds=3.5)
    search.tell(other.to_json(), np.float32(71.5), images=500)
    failed, done = search.run.archive.evaluations()
    assert (failed.status, failed.error, failed.seconds) == ("failed", "out of memory", 3.5)
    assert (done.objectives["top1"], done.images) == (71.5, 500)


def test_a_fraction_is_asked_about_and_nothing_is_committed(search, tmp_path):
    network = search.ask()[0]
    with pytest.raises(UnclearUnit, match="as in 75"):
        search.tell(network, 0.75)
    search.tell(network, 75.0)
    search.tell(search.ask()[0], 0.75)  # percent, since 75 was
    with AskTell.open(tmp_path / "f", BRIEF, unit="fraction") as other:
        other.tell(other.ask()[0], 0.75)
        assert other.run.archive.evaluations()[0].objectives["top1"] == 75.0


def test_it_is_still_percent_after_a_restart(tmp_path):
    with AskTell.open(tmp_path / "r", BRIEF) as search:
        search.tell(search.ask()[0], 75.0)
    with AskTell.open(tmp_path / "r", BRIEF) as search:
        search.tell(search.ask()[0], 0.75)
        assert [e.objectives["top1"] for e in search.run.archive.evaluations()] == [75.0, 0.75]


def test_what_cannot_be_told(search):
    network = search.ask()[0]
    for arguments, message in [
        ({}, "without an answer; allowed: top1 or error"),
        ({"top1": 1.0, "error": "x"}, "both top1 and error"),
        ({"top1": "high"}, "top1 = 'high'; allowed: a number"),
        ({"top1": 70.0, "images": 0}, "images = 0; allowed: 1 or more"),
        ({"top1": 70.0, "seconds": -1.0}, "seconds = -1"),
    ]:
        with pytest.raises(BadInput, match=message):
            search.tell(network, **arguments)
    search.tell(network, 70.0)
    with pytest.raises(BadInput, match="has its answer: top1 70; allowed: each network once"):
        search.tell(network, 70.0)
    with pytest.raises(BadInput, match="network abc was not proposed"):
        search.tell("abc", 70.0)
    with pytest.raises(BadInput, match="n = 0"):
        search.ask(0)


def test_the_folder_is_locked_while_it_is_open(search):
    with pytest.raises(BadInput, match=r"process \d+ is searching"):
        AskTell.open(search.run.folder, BRIEF)


def test_an_open_run_stays_the_callers(tmp_path):
    with create_run(tmp_path / "r", BRIEF) as run:
        with AskTell(run) as search:
            search.tell(search.ask()[0], 70.0)
        assert len(run.archive.evaluations()) == 1


def test_a_space_without_a_further_network_ends_early(tmp_path):
    run, ended = run_in(small(depths=(1,), resolutions=(12, 14)), tmp_path / "one", strategy="random")
    with run:
        one = contents(run)
    run = empty_in(small(depths=(1,), resolutions=(12, 14)), tmp_path / "r", strategy="random")
    with run, AskTell(run) as search:
        while asked := search.ask(1):
            search.tell(asked[0], formula(asked[0]))
        assert (search.finished, search.remaining, search.ended) == (True, 0, ended) and ended
        assert contents(run) == one
