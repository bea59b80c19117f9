"""The campaign's frame: what is wrong is found, and the same seed gives the same input."""

from __future__ import annotations

import json
import random
import time

import pytest

from profilers.errors import BadInput
from tools.campaign import __main__ as campaign
from tools.campaign import report
from tools.campaign.case import Case, Kind
from tools.campaign.inside import tried
from tools.campaign.judge import DIED, HALF, HANG, LINE, TRACEBACK, WRONG
from tools.campaign.kinds import named, names
from tools.campaign.mutations import HOSTILE, Raw, as_json, of_bytes, of_tree
from tools.campaign.workers import Tried, each

TREE = {"a": [1, 2.5, {"b": "text"}], "c": None, "d": True}


def findings(command, tmp_path, seconds=60.0, **options):
    kind = Kind("made", "made", lambda folder: None, lambda *_: Case("made", (command,), **options), seconds)
    return [finding.verdict for finding in tried(kind, 0, 0, tmp_path, tmp_path)[1]]


def raising(error):
    def call():
        raise error

    return call


def leaving(tmp_path):
    (tmp_path / "half").write_text("x")
    raise BadInput("refused")


class TestJudge:
    def test_a_good_end_and_a_refusal_are_fine(self, tmp_path):
        assert findings(lambda: 1, tmp_path) == []
        assert findings(raising(BadInput("a = 1", "2")), tmp_path) == []
        assert findings(("count", "--space", "nowhere", "--archs", "a.json"), tmp_path) == []

    @pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), MemoryError(), RecursionError(), SystemExit(3)])
    def test_a_traceback(self, tmp_path, error):
        assert findings(raising(error), tmp_path) == [TRACEBACK]

    def test_text_that_cannot_be_printed(self, tmp_path):
        assert findings(lambda: "\ud800", tmp_path) == [TRACEBACK]

    def test_a_hang(self, tmp_path):
        assert findings(lambda: time.sleep(60), tmp_path, 0.05) == [HANG]

    def test_files_of_a_refused_command(self, tmp_path):
        assert findings(lambda: leaving(tmp_path), tmp_path) == [HALF]
        (tmp_path / "half").unlink()
        assert findings(lambda: leaving(tmp_path), tmp_path, may_leave=("ha*",)) == []

    def test_wrong_numbers(self, tmp_path):
        assert findings(lambda: 1, tmp_path, wrong=lambda number, out: "" if out == "1" else out) == []
        assert findings(lambda: 2, tmp_path, wrong=lambda number, out: "" if out == "1" else out) == [WRONG]

    @pytest.mark.parametrize("text", ["", "x" * 400, "a \x1b[31m", "\u202e"])
    def test_lines(self, tmp_path, text):
        error = type("Unguarded", (BadInput,), {"__str__": lambda _: text})("")
        assert findings(raising(error), tmp_path) == [LINE]


class TestMutations:
    def test_a_seed_gives_the_same(self):
        for seed in range(50):
            one, two = (of_tree(random.Random(seed), TREE, most=3) for _ in range(2))
            assert repr(one) == repr(two)
            assert of_bytes(random.Random(seed), b"some text") == of_bytes(random.Random(seed), b"some text")

    def test_what_is_given_stays(self):
        before = json.dumps(TREE)
        made = [of_tree(random.Random(seed), TREE, most=3)[1] for seed in range(300)]
        assert json.dumps(TREE) == before and sum(x != TREE for x in made) > 250

    def test_no_bytes_can_be_mutated(self):
        assert all(isinstance(of_bytes(random.Random(seed), b"")[1], bytes) for seed in range(50))

    def test_json_of_whatever(self):
        assert as_json({"a": [Raw("1e999"), 1, Raw("NaN")]}) == b'{"a": [1e999, 1, NaN]}'
        for value in HOSTILE:
            assert as_json(value)


class TestWorkers:
    def test_kinds_have_names(self):
        assert [named(name).name for name in names()] == names()

    def test_one_that_dies_or_hangs_is_replaced(self, tmp_path, monkeypatch):
        """The kind of this test is a module beside the others, which only its worker imports."""
        module = tmp_path / "odd_kind.py"
        module.write_text(ODD)
        monkeypatch.syspath_prepend(tmp_path)
        kind = __import__("odd_kind").KIND
        found = {one.number: one for one in each(kind, 0, range(4), tmp_path, tmp_path / "out", 1)}
        assert [[f.verdict for f in found[i].findings] for i in range(4)] == [[], [DIED], [], [TRACEBACK]]
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["odd_kind-0-1", "odd_kind-0-3"]


def test_the_table(tmp_path):
    from tools.campaign.judge import Finding

    kind = Kind("k", "a kind", lambda folder: None, lambda *_: Case("", ()))
    tries = [
        Tried(0, "x", [Finding(HANG, "a"), Finding(HANG, "b"), Finding(WRONG, "c")], False, tmp_path),
        Tried(1, "y", [], True, tmp_path),
    ]
    assert report.table([report.row(kind, tries)]).splitlines()[2] == "| a kind | 2 | 1 | 0 | 1 | 0 | 0 | 1 | 0 |"
    report.keep(kind, 5, tries[0])
    assert json.loads((tmp_path / report.FINDING).read_text())["again"].endswith("campaign k --seed 5 --only 0")


def test_an_unknown_kind_is_refused(capsys):
    with pytest.raises(SystemExit):
        campaign.main(["nothing"])
    assert "nothing" in capsys.readouterr().err


ODD = """
import os
from tools.campaign.case import Case, Kind

def die():
    os._exit(7)

def bad():
    raise ValueError("bad")

def mutate(random, prepared, here):
    number = int(here.name.rpartition("-")[2])
    return Case("odd", ([lambda: 1, die, lambda: 1, bad][number],))

def prepare(folder):
    pass

KIND = Kind("odd_kind", "odd", prepare, mutate, seconds=60.0)
"""
