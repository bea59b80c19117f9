"""Users' functions may do anything: it is the failure of that one network, with its reason, and the search goes on."""

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

import hwnas
from hwnas.accuracy import timeout
from hwnas.accuracy.given import of
from hwnas.search import executors
from hwnas.search.executors import ExecutorSettings, Serial
from hwnas.search.giving_up import FirstAnswers, failures
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.search.underway import FILE
from profilers.errors import BadInput
from tests.hwnas.searching import CONFIG, SMALL, SPACE, genes, run_search

ARCHS = SPACE.decode(genes(3))


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


class Odd:
    def __float__(self):
        raise LookupError("not even this")

    __repr__ = __float__


def raiser(error):
    def raises(network):
        raise error

    return raises


ODD = {
    "exits": (lambda n: sys.exit(0), "Exited: SystemExit: it called sys.exit(0)"),
    "raises": (raiser(RuntimeError("out of\nmemory")), "RuntimeError: out of memory"),
    "generator": (raiser(GeneratorExit()), "Exited: GeneratorExit"),
    "mute": (raiser(Mute()), "Mute: its text cannot be made, which raises ValueError"),
    "escapes": (raiser(OSError("\ud800 \x1b[31m \0")), r"OSError: \ud800 \x1b[31m \x00"),
    "long": (raiser(ValueError("x" * 10**6)), "ValueError: xxx"),
    "nan": (lambda n: np.float64("nan"), "an accuracy of nan"),
    "text": (lambda n: "high", "an accuracy of 'high'"),
    "none": (lambda n: None, "an accuracy of None"),
    "tensor": (lambda n: np.ones(2), "an accuracy of array([1., 1.])"),
    "huge": (lambda n: 10**400, "an accuracy of a whole number of 1329 bits"),
    "odd": (lambda n: Odd(), "an accuracy of a Odd"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_a_function_does_in_this_process_is_that_networks_failure(kind):
    function, expected = ODD[kind]
    first = ARCHS[0].to_json()
    source = of(lambda network: function(network) if network == first else np.float32(70))
    found = list(Serial(source).evaluate(ARCHS))
    assert [outcome.top1 for outcome in found] == [None, 70, 70] and expected in found[0].error
    assert found[0].error.isprintable() and len(found[0].error) <= 1100


def test_plug_ins_are_treated_alike():
    class Source:
        batch = 0  # is no number of networks

        def evaluate(self, arch):
            sys.exit(3) if arch == ARCHS[0] else None
            return Odd() if arch == ARCHS[1] else 70

    found = list(Serial(Source()).evaluate(ARCHS))
    assert [outcome.top1 for outcome in found] == [None, None, 70]
    assert found[0].error == "SystemExit: it called sys.exit(3)" and "an accuracy of a Odd" in found[1].error


def test_a_plug_in_that_forgets_a_network_is_refused():
    class Source:
        batch = 3

        def evaluate_batch(self, archs):
            return [70.0] * (len(archs) - 1)

    with pytest.raises(BadInput, match="2 accuracies for 3 networks"):
        list(Serial(Source()).evaluate(ARCHS))


OWN = """
import ctypes, json, os, pathlib, sys, time
WISHES = json.loads((pathlib.Path(__file__).parent / "wishes.json").read_text())

def top1(network):
    match WISHES.get(json.dumps(network)):
        case "exits": sys.exit(0)
        case "leaves": os._exit(0)
        case "crashes": ctypes.string_at(0)
        case "hangs": time.sleep(3600)
        case "interrupts": raise KeyboardInterrupt
        case "prints":
            print("from Python")
            os.system("echo from a shell")
            ctypes.CDLL(None).puts(b"from C")
        case "reads": return 70.0 + len(sys.stdin.readline())
        case "imports":
            import own_neighbour
            return own_neighbour.TOP1
    return 70.0

def batch(networks):
    return [top1(network) for network in networks]
"""
EXPECTED = {
    "exits": "Exited: SystemExit: it called sys.exit(0)",
    "leaves": "the evaluating process died (exit code 0), tried 1 times",
    "crashes": "the evaluating process died (SIGSEGV, exit code -11), tried 1 times",
    "hangs": "TimedOut: no answer within 1 s (evaluate.timeout)",
    "interrupts": "KeyboardInterrupt",
}


@pytest.fixture
def own(tmp_path):
    """A module that does to the networks of ARCHS what the test wishes."""
    names = [*EXPECTED, "prints", "reads", "imports"]
    archs = SPACE.decode(genes(len(names)))
    (tmp_path / "users_own.py").write_text(OWN)
    (tmp_path / "own_neighbour.py").write_text("TOP1 = 75.0")
    wishes = {json.dumps(arch.to_json()): name for arch, name in zip(archs, names, strict=True)}
    (tmp_path / "wishes.json").write_text(json.dumps(wishes))
    config = replace(CONFIG, accuracy=f"python:{tmp_path}/users_own:top1", evaluate={"timeout": 1})
    yield dict(zip(names, archs, strict=True)), config
    for name in ("users_own", "own_neighbour"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_what_a_module_does_ends_a_worker_and_not_the_search(own, capfd, monkeypatch, tmp_path):
    archs, config = own
    monkeypatch.chdir(tmp_path / "..")  # where one stands does not matter
    found = asked(archs, config)
    assert {name: found[name].error for name in EXPECTED} == EXPECTED
    assert [found[name].top1 for name in ("prints", "reads", "imports")] == [70, 70, 75]
    out, err = capfd.readouterr()
    assert out == "" and all(line in err for line in ("from Python", "from a shell", "from C"))


@pytest.mark.slow
def test_of_a_batch_that_ends_its_worker_the_others_are_kept(own):
    archs, config = own
    config = replace(config, accuracy=config.accuracy.replace(":top1", ":batch"), evaluate={"batch": 8})
    found = asked({name: archs[name] for name in ("prints", "leaves", "imports")}, config)
    assert [found[name].top1 for name in found] == [70, None, 75] and found["leaves"].error == EXPECTED["leaves"]


def asked(archs, config):
    with executors.start(config.source(), ExecutorSettings(retries=0)) as executor:
        return dict(zip(archs, sorted(executor.evaluate([*archs.values()]), key=lambda o: o.index), strict=True))


def test_in_this_process_it_is_the_same_as_far_as_it_can_be(own, monkeypatch, tmp_path):
    archs, config = own
    monkeypatch.chdir(tmp_path / "..")
    with executors.start(config.source(), ExecutorSettings(kind="serial")) as executor:
        found = list(executor.evaluate([archs[name] for name in ("exits", "hangs", "imports")]))
    assert [outcome.error for outcome in found] == [EXPECTED["exits"], EXPECTED["hangs"], None]
    assert found[2].top1 == 75 and 1 <= found[1].seconds < 60


class TestTimeout:
    def test_a_function_that_hangs_fails_after_its_time(self, tmp_path):
        first = []

        def hangs(network):
            first.append(network)
            while len(first) == 1:
                with suppress(Exception):  # which does not stop it
                    threading.Event().wait(60)
            return 70.0

        before = signal.getsignal(signal.SIGALRM)
        with run_search(tmp_path / "r", hangs, iterations=0, initial=4, evaluate={"timeout": 0.2}) as run:
            errors = [row.error for row in run.archive.evaluations()]
        assert errors == ["TimedOut: no answer within 0.2 s (evaluate.timeout)", None, None, None]
        assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL)[0] == 0

    def test_of_a_batch_the_others_are_kept(self):
        def hangs(networks):
            if ARCHS[1].to_json() in networks:
                threading.Event().wait(60)
            return [70.0] * len(networks)

        found = list(Serial(of(hangs, batch=3), 0.1).evaluate(ARCHS))
        assert [outcome.top1 for outcome in found] == [70, None, 70]

    def test_elsewhere_than_in_the_main_thread_it_is_refused(self):
        said = []

        def evaluates():
            try:
                list(Serial(of(lambda n: 70.0), 1.0).evaluate(ARCHS))
            except BadInput as error:
                said.append(str(error))

        thread = threading.Thread(target=evaluates)
        thread.start()
        thread.join()
        assert "evaluate.timeout in a thread; allowed: the main thread" in said[0]

    @pytest.mark.parametrize("value", [0, -1, True, "5", float("nan"), float("inf"), 10**9, [1]])
    def test_what_is_no_time(self, value):
        with pytest.raises(BadInput, match=r"evaluate\.timeout = .*; allowed: seconds, more than 0"):
            timeout.of({"timeout": value})

    def test_a_run_may_be_continued_with_another(self, tmp_path):
        with run_search(tmp_path / "r", lambda n: 70.0, iterations=0, evaluate={"timeout": 5}):
            pass
        changed = replace(CONFIG, evaluate={"timeout": 50}, search=replace(SMALL, iterations=0))
        with resume_run(tmp_path / "r", changed) as run:
            assert run.config.evaluate == {"timeout": 50}

    def test_a_source_with_a_limit_has_a_process_of_its_own(self):
        kinds = {("table:a.csv", None): "serial", ("table:a.csv", 5): "processes", ("python:a:b", None): "processes"}
        for (accuracy, limit), expected in kinds.items():
            text = json.dumps({"accuracy": accuracy, "evaluate": {} if limit is None else {"timeout": limit}})
            assert executors._kind(text, ExecutorSettings()) == expected
            assert executors._kind(text, ExecutorSettings(kind="serial")) == "serial"


class TestAFunctionThatEndsThisProcess:
    def died(self, place, batch=None):
        """A child process that searches until its third evaluation ends it."""
        child = os.fork()
        if not child:
            try:
                self.search(place, lambda network: os._exit(7), batch)
            finally:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def search(self, place, then, batch=None):
        asked = []

        def top1(network):
            asked.append(network)
            return then(network) if network == self.third() else 70.0

        def several(networks):
            return [top1(network) for network in networks]

        options = {"batch": batch} if batch else {}
        config = replace(CONFIG, evaluate=options, search=replace(SMALL, initial=4, iterations=0))
        from hwnas.search.driver import search

        with resume_run(place, config) as run:
            search(run, several if batch else top1)
        return asked

    def third(self):
        with open_run(self.place) as run:
            return SPACE.decode(np.array([run.archive.proposal(0)[2].genes]))[0].to_json()

    @pytest.mark.parametrize("batch", [None, 4])
    def test_it_is_known_when_the_run_is_continued(self, tmp_path, batch):
        self.place = tmp_path / "r"
        assert [self.died(self.place, batch) for _ in range(3)] == [7, 7, 7]
        assert json.loads((self.place / FILE).read_text().splitlines()[0])["now"]
        asked = self.search(self.place, lambda network: 70.0, batch)
        with open_run(self.place) as run:
            rows = run.archive.evaluations()
        assert [row.error for row in rows if row.error] == ["the process ended 3 times while it was being evaluated"]
        assert self.third() not in asked and not (self.place / FILE).exists()

    def test_it_is_tried_again_before_that(self, tmp_path):
        self.place = tmp_path / "r"
        assert [self.died(self.place), self.died(self.place)] == [7, 7]
        self.search(self.place, lambda network: 71.0)
        with open_run(self.place) as run:
            assert sorted(row.objectives["top1"] for row in run.archive.evaluations()) == [70, 70, 70, 71]

    @pytest.mark.parametrize(
        "text",
        ["", "{", '{"now": 3, "ended": {}}', '{"now": [], "ended": {"a": "x"}}', "[1]", "[" * 5000,
         '{"now": [], "ended": {"a": Infinity}}'],
    )  # fmt: skip
    def test_a_damaged_note_counts_for_nothing(self, tmp_path, text):
        self.place = tmp_path / "r"
        config = replace(CONFIG, search=replace(SMALL, initial=4, iterations=0))
        create_run(self.place, config).archive.close()
        (self.place / FILE).write_text(text)
        assert len(self.search(self.place, lambda network: 70.0)) == 4


class TestGivingUp:
    def counted(self, errors, expected=20, give_up=True):
        first = FirstAnswers(expected, give_up)
        for i, error in enumerate(errors):
            try:
                first.add(error)
            except BadInput as refused:
                return i + 1, str(refused)
        return None

    def test_when_the_first_all_fail(self):
        count, said = self.counted(["a", "b", "b", "a", "b", None])
        assert count == 5 and said.startswith("5 of the first 5 evaluations failed, 3 of them so: b; allowed:")
        assert self.counted(["a", "a", None, "a", "a", "a"]) is None

    def test_when_most_of_them_fail(self):
        assert self.counted([None] * 9 + ["a"] * 11)[0] == 20
        assert self.counted([None] * 10 + ["a"] * 10) is None and self.counted([None] * 20 + ["a"] * 90) is None
        assert self.counted(["a", None, "a"], expected=3)[0] == 3

    def test_not_where_it_is_not_wanted(self, tmp_path):
        assert self.counted(["a"] * 30, give_up=False) is None
        settings = ExecutorSettings(give_up=False)
        with run_search(tmp_path / "r", raiser(OSError("no")), iterations=0, executor=settings) as run:
            assert len(run.archive.evaluations()) == SMALL.initial

    def test_a_continued_run_takes_the_new_word(self, tmp_path):
        from hwnas.search.driver import search

        config = replace(CONFIG, search=replace(SMALL, iterations=0))
        with create_run(tmp_path / "r", config) as run, pytest.raises(BadInput, match="OSError: no"):
            search(run, raiser(OSError("no")))
        again = replace(config, executor=ExecutorSettings(give_up=False))
        with resume_run(tmp_path / "r", again) as run:
            search(run, raiser(OSError("no")))
            assert len(run.archive.evaluations()) == SMALL.initial


def test_failures_are_said_at_the_end_by_their_reasons(tmp_path):
    lines = failures(["b", "b", "c", None, "d", "e", None])
    assert lines[0] == "5 of 7 evaluations failed:" and lines[1] == "  2 x b" and len(lines) == 5
    assert lines[-1] == "  1 more reasons: hwnas archive RUN" and failures([None]) == []
    asked = []

    def top1(network):
        asked.append(network)
        return "low" if len(asked) == 3 else 70.0

    small = {"objectives": ["top1", "params"], "initial": 4, "iterations": 0, "out": tmp_path / "r"}
    expected = [
        "1 of 4 evaluations failed:",
        "  1 x BadInput: an accuracy of 'low'; allowed: a percentage from 0 to 100",
    ]
    assert hwnas.search("tiny", top1, **small).remarks == expected
