"""Proposals without batches: no worker waits, no network comes twice, and a run that was killed goes on."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from hwnas.search.ask_tell import AskTell
from hwnas.search.asynchronous import state_of
from hwnas.search.driver import search
from hwnas.search.executors import Executor, Outcome
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.search.strategies import Context, propose
from tests.hwnas.searching import CONFIG, PROBLEM, SMALL, Formula, contents, formula
from tests.hwnas.searching import history as evaluated

ASYNCHRONOUS = replace(CONFIG, search=replace(SMALL, asynchronous=True))


class Workers(Executor):
    """`n` workers; who is answered next is drawn. After `most` outcomes it is as if the process were killed."""

    def __init__(self, n, seed=0, most=10**6):
        self.n, self.rng, self.most, self.idle = n, np.random.default_rng(seed), most, []

    @classmethod
    def start(cls, source, settings):
        raise NotImplementedError

    def evaluate(self, archs):
        waiting = deque(archs)
        yield from self.stream(lambda n: [waiting.popleft() for _ in range(min(n, len(waiting)))])

    def stream(self, ask):
        busy, given = {}, 0
        while True:
            for arch in ask(self.n - len(busy)) if len(busy) < self.n else ():
                busy[given], given = arch, given + 1
            if not busy:
                return
            self.idle.append(self.n - len(busy))
            index = list(busy)[int(self.rng.integers(len(busy)))]
            self.most -= 1
            if self.most < 0:
                raise KeyboardInterrupt
            yield Outcome(index, formula(busy.pop(index)), None, 0.1)


def run(folder, executor, config=ASYNCHRONOUS):
    with create_run(folder, config) as made:
        search(made, executor)
        return contents(made)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    executor = Workers(5)
    return run(tmp_path_factory.mktemp("stream") / "a", executor), executor


class TestStream:
    def test_every_network_once_and_every_iteration_has_its_figures(self, found):
        rows, steps, proposals = found[0]
        assert len({row["id"] for row in rows}) == len(rows) == SMALL.evaluations
        assert [row["iteration"] for row in rows] == [0] * 16 + [1] * 4 + [2] * 4 + [3] * 4
        assert [step["evaluations"] for step in steps] == [16, 20, 24, 28]
        assert [len(items) for items in proposals] == [16, 4, 4, 4]
        assert all(item.predicted is not None for items in proposals[1:] for item in items)

    def test_no_worker_waits_while_networks_are_left(self, found):
        idle = found[1].idle
        assert set(idle[:-5]) == {0} and idle[-1] == 4

    def test_the_same_order_of_arrival_gives_the_same_run(self, found, tmp_path):
        assert run(tmp_path / "b", Workers(5)) == found[0] != run(tmp_path / "c", Workers(5, seed=1))

    def test_one_worker_is_served_after_each_answer(self, tmp_path):
        rows, steps, _ = run(tmp_path / "r", Formula())
        assert len(rows) == SMALL.evaluations and steps[-1]["hypervolume"] > steps[0]["hypervolume"]


def test_the_order_of_the_initial_answers_does_not_matter(tmp_path):
    config = replace(CONFIG, search=replace(SMALL, iterations=0, asynchronous=True))
    assert run(tmp_path / "a", Workers(5, 1), config) == run(tmp_path / "b", Workers(16, 2), config)


@pytest.mark.parametrize("most", [3, 14, 22])
def test_a_killed_run_goes_on_with_what_has_no_answer(tmp_path, most):
    with create_run(tmp_path / "r", ASYNCHRONOUS) as made, pytest.raises(KeyboardInterrupt):
        search(made, Workers(5, most=most))
    with resume_run(tmp_path / "r", ASYNCHRONOUS) as again:
        before = {row.number for row in again.archive.evaluations()}
        waiting = [item.number for item in state_of(again).pending()]
        assert len(before) == most and not before & set(waiting)
        source = Formula()
        search(again, source)
        rows = again.archive.evaluations()
        assert [row.number for row in rows] == list(range(SMALL.evaluations))
        assert source.asked[: len(waiting)] == [rows[number].arch.id for number in waiting]
    with open_run(tmp_path / "r") as finished:
        assert len(finished.archive.iterations()) == 4 and state_of(finished).finished


def test_ask_and_tell_need_no_complete_batch(tmp_path):
    with AskTell.open(tmp_path / "r", ASYNCHRONOUS) as loop:
        for arch in (first := loop.ask(16))[:-3]:
            loop.tell(arch, formula(arch))
        more = loop.ask(6)
        assert len(more) == 6 and not {a.id for a in more} & {a.id for a in first}
        for arch in [*more, *first[-3:]]:
            loop.tell(arch, formula(arch))
        assert loop.remaining == SMALL.evaluations - 22 and not loop.finished


def test_what_is_being_evaluated_is_believed_and_not_proposed_again():
    past = evaluated(30)
    settings = replace(SMALL, per_iteration=2)

    def proposed(history, pending):
        return propose(Context(PROBLEM, settings, history, 1, None, np.random.default_rng(5), pending=pending)).genes

    alone = proposed(past, 0)
    unknown = past.joined(type(past)(alone, np.full(len(alone), np.nan)))
    beside = proposed(unknown, len(alone))
    assert not {tuple(g) for g in beside.tolist()} & {tuple(g) for g in alone.tolist()}
    assert len(beside) == 2


def test_a_space_without_new_networks_ends_when_all_have_answers(tmp_path):
    least = PROBLEM.objectives["params"].least
    settings = replace(SMALL, initial=4, asynchronous=True)
    with create_run(tmp_path / "r", replace(CONFIG, budget={"params": 1.02 * least}, search=settings)) as made:
        assert "no new one within the budget" in search(made, Workers(3))
        rows, steps = made.archive.evaluations(), made.archive.iterations()
    assert len({row.arch.id for row in rows}) == len(rows) < settings.evaluations
    assert steps[-1]["evaluations"] == len(rows)
