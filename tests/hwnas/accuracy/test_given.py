"""What a program brings as an accuracy: functions and objects, of one network or several, and what they do wrong."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hwnas.accuracy import SOURCES, open_accuracy
from hwnas.accuracy.given import of
from hwnas.accuracy.unit import UnclearUnit
from hwnas.search.config_files import parse
from hwnas.search.driver import search
from hwnas.search.executors import start
from hwnas.search.run import create_run, open_run, resume_run
from hwnas.select.guaranteed import select_from_run
from profilers.errors import BadInput
from tests.hwnas.searching import CONFIG, SMALL, SPACE, contents, formula, genes, run_search

ARCHS = SPACE.decode(genes(5))


def by_dict(network):
    return formula(SPACE.parse(network))


def several(networks):
    several.sizes.append(len(networks))
    return [by_dict(network) for network in networks]


several.sizes = []


class Alone:
    images = 40

    def evaluate(self, arch):
        return np.float32(formula(arch))


class Together:
    batch = 3

    def evaluate_batch(self, archs):
        assert isinstance(archs, list) and len(archs) <= 3
        return np.array([formula(arch) for arch in archs])


@pytest.mark.parametrize(
    "made",
    [of(by_dict), of(several, batch=2), of(Alone()), of(Alone), of(Together())],
    ids=lambda made: f"{made.name} {made.batch}",
)
def test_each_form_gives_the_same(made):
    expected = [formula(arch) for arch in ARCHS]
    assert [made.evaluate(arch) for arch in ARCHS] == pytest.approx(expected)
    assert made.evaluate_batch(ARCHS[:2]) == pytest.approx(expected[:2])


def test_how_many_at_once_and_on_how_many_images():
    assert [of(x).batch for x in (by_dict, Alone(), Together())] == [1, 1, 3]
    assert (of(several, batch=5).batch, of(Alone()).images, of(Alone(), images=7).images) == (5, 40, 7)
    assert of(SimpleNamespace(evaluate_batch=several)).batch == 8
    made = of(by_dict)
    assert of(made) is made


def test_a_whole_search_in_batches_is_the_one_by_one(tmp_path):
    several.sizes.clear()
    with run_search(tmp_path / "a", by_dict) as run:
        one = contents(run)
    with run_search(tmp_path / "b", of(several, batch=5)) as run:
        assert contents(run) == one
    assert several.sizes == [5, 5, 5, 1, 4, 4, 4]
    with run_search(tmp_path / "c", Together()) as run:
        assert contents(run) == one


def test_one_bad_network_does_not_fail_the_others_of_its_batch(tmp_path):
    bad = {ARCHS[1].id: RuntimeError("out of memory"), ARCHS[3].id: float("nan")}

    def answer(network):
        found = bad.get(SPACE.parse(network).id, 70.0)
        if isinstance(found, RuntimeError):
            raise found
        return found

    from hwnas.search.worker import answers

    one = answers(of(answer), ARCHS)
    found = answers(of(lambda networks: [answer(n) for n in networks], batch=5), ARCHS)
    assert [a.get("top1") for a in found] == [70.0, None, 70.0, None, 70.0] == [a.get("top1") for a in one]
    errors = ["RuntimeError: out of memory", "BadInput: an accuracy of nan; allowed: a percentage from 0 to 100"]
    assert [a["error"] for a in found if "error" in a] == errors == [a["error"] for a in one if "error" in a]


def test_an_exception_in_its_place_is_that_networks_failure():
    made = of(lambda networks: [71.0, ValueError("diverged"), None, "high", True], batch=5, unit="percent")
    found = made.evaluate_batch(ARCHS)
    assert found[0] == 71.0 and str(found[1]) == "diverged" and "an accuracy of None" in str(found[2])
    assert "an accuracy of 'high'" in str(found[3]) and found[4] == 1.0


def test_fractions_are_asked_about_and_taken_where_it_is_said(tmp_path):
    share = lambda network: by_dict(network) / 100  # noqa: E731
    with pytest.raises(BadInput, match='unit = "fraction"'):
        run_search(tmp_path / "a", share)
    with run_search(tmp_path / "b", share, evaluate={"unit": "fraction"}) as run:
        assert [e.objectives["top1"] for e in run.archive.evaluations()] == pytest.approx(
            [formula(e.arch) for e in run.archive.evaluations()]
        )
    with pytest.raises(UnclearUnit, match="as in 75"):
        of(lambda networks: [0.75] * len(networks), batch=2).evaluate_batch(ARCHS)


def test_another_number_of_answers_ends_the_search(tmp_path):
    with pytest.raises(BadInput, match="gave 2 accuracies for 8 networks; allowed: one for each"):
        run_search(tmp_path / "a", of(lambda networks: [70.0, 71.0], batch=8))


class Needs:
    def __init__(self, folder):
        self.folder = folder

    def evaluate(self, arch):
        return 70.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": 3}, "accuracy int is not a function"),
        ({"source": Needs}, r"Needs\(\) raises TypeError"),
        ({"source": by_dict, "batch": 0}, "batch = 0; allowed: 1 or more"),
        ({"source": by_dict, "images": 0}, "images = 0"),
        ({"source": by_dict, "unit": "share"}, "percent, fraction"),
    ],
)
def test_what_does_not_fit(arguments, message):
    with pytest.raises(BadInput, match=message):
        of(**arguments)


def test_options_of_evaluate(tmp_path):
    with run_search(tmp_path / "a", several, evaluate={"batch": 4, "images": 500}) as run:
        assert {e.images for e in run.archive.evaluations()} == {500}
    with pytest.raises(BadInput, match="option 'epochs' of accuracy source given; allowed: batch, unit, images"):
        run_search(tmp_path / "b", by_dict, evaluate={"epochs": 4})


def test_a_run_of_a_function_is_opened_without_it_and_continued_with_it(tmp_path):
    with run_search(tmp_path / "whole", by_dict) as run:
        whole = contents(run)
    with run_search(tmp_path / "r", by_dict, iterations=1):
        pass
    with open_run(tmp_path / "r") as run:
        assert len(run.archive.evaluations()) == 20
    with resume_run(tmp_path / "r", replace(CONFIG)) as run:
        search(run, by_dict)
        assert contents(run) == whole


def test_a_module_of_ones_own_may_hold_a_function_a_batch_or_an_object(tmp_path):
    (tmp_path / "my_forms.py").write_text(
        "def one(n):\n    return 70 + n['r'] / 10\n"
        "def many(ns):\n    return [one(n) for n in ns]\n"
        "class Mine:\n    def evaluate(self, arch):\n        return 70 + arch.r / 10\n"
    )
    for name, options in (("one", {}), ("many", {"batch": 4}), ("Mine", {})):
        opened = open_accuracy(f"python:{tmp_path}/my_forms:{name}", SPACE, options)
        assert opened.evaluate(ARCHS[0]) == 70 + ARCHS[0].r / 10


class TestEntryPoint:
    @pytest.fixture
    def installed(self, tmp_path, monkeypatch):
        """A package that brings an accuracy."""
        (tmp_path / "brought.py").write_text(
            "class Mine:\n"
            "    def __init__(self, rest, space, *, scale=1.0):\n"
            "        self.base, self.scale = float(rest), scale\n"
            "    def evaluate(self, arch):\n"
            "        return self.base + self.scale * arch.r / 10\n"
        )
        info = tmp_path / "brought-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[hwnas.accuracy]\nmine = brought:Mine\n")
        monkeypatch.syspath_prepend(tmp_path)
        yield tmp_path
        SOURCES._found.pop("mine", None)
        sys.modules.pop("brought", None)

    def test_it_is_a_kind_like_any_other(self, installed):
        assert open_accuracy("mine:50", SPACE, {"scale": 2.0}).evaluate(ARCHS[0]) == 50 + ARCHS[0].r / 5
        with pytest.raises(BadInput, match="option 'x' of accuracy source mine; allowed: scale"):
            open_accuracy("mine:50", SPACE, {"x": 1})
        with pytest.raises(BadInput, match="mine:…"):
            open_accuracy("mini:50", SPACE)

    def test_what_goes_wrong_in_it_is_one_line(self, installed):
        with pytest.raises(BadInput, match="'mine:fifty' cannot be opened: ValueError: could not convert"):
            open_accuracy("mine:fifty", SPACE)

    def test_a_run_is_opened_without_the_package(self, installed, tmp_path, monkeypatch):
        from hwnas.report import load_run

        config = parse({"space": "tiny", "accuracy": "mine:50", "objectives": ["top1", "params"]}, tmp_path, "c.toml")
        config = replace(config, search=replace(SMALL, iterations=0))
        with start(config.source(), config.executor) as executor, create_run(tmp_path / "r", config) as run:
            search(run, executor)
        monkeypatch.undo()
        SOURCES._found.pop("mine", None)
        with open_run(tmp_path / "r") as run:
            assert select_from_run(run, n=1).choices and run.config.accuracy == "mine:50"
        assert load_run(tmp_path / "r").objectives[0].how == "evaluated: mine, 50"
        with pytest.raises(BadInput, match="accuracy source 'mine:50'"):
            parse({"space": "tiny", "accuracy": "mine:50"}, tmp_path, "c.toml")
