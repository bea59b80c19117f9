"""The configuration: whole, strict, and the same after a round trip."""

import string
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hwnas.accuracy import GIVEN
from hwnas.search import config as configs
from hwnas.search.acquisition import RULES
from hwnas.search.config import Config, SearchSettings
from hwnas.search.config_files import load, parse, to_toml
from hwnas.search.executors import ExecutorSettings
from hwnas.search.inner import ALGORITHMS
from hwnas.search.objectives import COUNTS
from hwnas.search.problem import Scalarise
from hwnas.search.strategies import STRATEGIES
from hwnas.surrogates import SURROGATES
from profilers.errors import BadInput, FileProblem
from profilers.validation import json_schema

WHOLE = """
space = "mbv3"
resolutions = [160, 176, 192, 208, 224]
accuracy = "ofa-predictor:acc_predictor.pth"
objectives = ["top1", "params", "madds", "cpu_ms", "gpu_ms"]
seed = 7
[tables]
cpu_ms = "i7.json"
gpu_ms = "titan-xp.json"
[budget]
cpu_ms = 10
[hypervolume]
top1 = [75, 84.5]
[search]
initial = 50
surrogate = "rbf"
"""
LEAST = 'space = "tiny"\naccuracy = "table:t.csv"\nobjectives = ["top1", "madds"]\n'


ODD_NAMES = ("rpi.4_ms", "my board_ms", "gerät_ms", "../../x_ms", "x_ms.json", "a" * 98 + "_ms")


def read(tmp_path, text, *overrides):
    (tmp_path / "c.toml").write_text(text)
    return load(tmp_path / "c.toml", overrides)


def test_the_whole_configuration(tmp_path):
    config = read(tmp_path, WHOLE)
    assert config.resolutions == (160, 176, 192, 208, 224) and config.budget == {"cpu_ms": 10.0}
    assert config.tables["cpu_ms"] == tmp_path / "i7.json"
    assert config.accuracy == f"ofa-predictor:{tmp_path / 'acc_predictor.pth'}"
    assert (config.search.initial, config.search.per_iteration, config.search.surrogate) == (50, 8, "rbf")
    assert config.hypervolume == {"top1": (75.0, 84.5)}


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        LEAST,
        'space="tiny"\naccuracy="python:m:f"\nobjectives=["top1"]\n[scalarise]\nobjective="madds"\ntarget=1e5\n',
    ],
)
def test_round_trip(tmp_path, text):
    config = read(tmp_path, text)
    assert read(tmp_path, to_toml(config)) == config


def test_overrides(tmp_path):
    config = read(tmp_path, LEAST, "search.iterations=3", "seed=9", 'search.surrogate="gp"', "search.inner=nsga3",
                  "budget.madds=2e5", "resolutions=[16]")  # fmt: skip
    assert (config.seed, config.search.iterations, config.search.surrogate) == (9, 3, "gp")
    assert (config.search.inner, config.budget, config.resolutions) == ("nsga3", {"madds": 2e5}, (16,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("space = ", "not valid TOML"),
        ('space = "tiny"', "lacks accuracy"),
        (LEAST + "sede = 3", "try: seed"),
        (LEAST + "[serch]", "try: search"),
        (LEAST + "[search]\niteration = 3", "try: iterations"),
        (LEAST + '[search]\nsurrogate = "gpx"', "try: gp"),
        (LEAST + "[search]\ninitial = 2", "4 to"),
        (LEAST + "[search]\ninitial = 2.5", "a whole number"),
        (LEAST + "[search]\ninitial = true", "a whole number"),
        (LEAST + "seed = -1", "0 or more"),
        (LEAST + f"seed = {10**30}", "0 or more"),
        (LEAST + "seed = 1" + "0" * 5000, "not valid TOML"),
        (LEAST + "seed = 1979-05-27", "a whole number"),
        (LEAST + 'init_from = "a\\u0000b"', "NUL"),
        (LEAST + "evaluate = {x = inf}", "evaluate.x = inf; allowed: a finite number"),
        (LEAST + "evaluate = " + "[" * 5000, "not valid TOML"),
        (LEAST + "search = 3", "a section"),
        (LEAST + "resolutions = [13, 1000]", "8 to"),
        (LEAST + "[budget]\nmads = 3", "try: madds"),
        (LEAST + "[budget]\nmadds = -3", "more than 0"),
        (LEAST + "[budget]\nmadds = nan", "finite"),
        (LEAST + "[budget]\ntop1 = 0.8", "as in 80"),
        (LEAST + "[executor]\nkind = 'prozesses'", "try: processes"),
        (LEAST + "[executor]\nkind = 'serial'\nworkers = 2", "workers of processes"),
        (
            LEAST + "[executor]\nresources = {jetson = -1}",
            "jetson = -1; allowed: a number, 0 or more",
        ),
        (LEAST + "[tables]\nmadds = 'x.json'", "which is built in"),
        (LEAST + "[objective.madds]\nunit = 'M'", "which is built in"),
        (LEAST + "[objective.e]\nsource = 'layers:m'", "layers:module:function"),
        (LEAST + "[objective.e]\nsource = 'table:'", "table:FILE"),
        (LEAST + "[objective.e]\ndirection = 'down'", "minimise, maximise"),
        (LEAST + "[objective.e]\nsorce = 'x'", "try: source"),
        (LEAST + "[tables]\ne = 'x'\n[objective.e]\nsource = 'network:m:f'", "one of them"),
        (LEAST.replace('"madds"', '"energy"'), r"\[objective.energy\]"),
        (LEAST.replace('objectives = ["top1", "madds"]', "[objectives.e]\nunit = 'J'"), "names ="),
        (LEAST + "[hypervolume]\ntop1 = [90, 80]", "worst, best"),
        (LEAST + "[hypervolume]\nmadds = [1, 2]", "allowed: top1"),
        (LEAST + "[hypervolume]\ntop1 = [1, 2, 3]", "a list of 2 values"),
        *((LEAST + f"[tables]\n'{name}' = 'x'", f"the name '{name[:50]}") for name in ODD_NAMES),
        (LEAST.replace("tiny", "huge"), "unknown space"),
        (LEAST.replace("table:", "tables:"), "table:"),
        (LEAST.replace('"madds"', '"cpu_ms"'), "tables"),
        (LEAST.replace('"top1", ', ""), "top1"),
        (LEAST.replace('"madds"', '"madds", "madds"'), "once"),
        (LEAST.replace(', "madds"', ""), "scalarise"),
        (LEAST + '[scalarise]\nobjective = "madds"\ntarget = 1e5', "scalarise"),
    ],
)
def test_what_does_not_fit(tmp_path, text, message):
    with pytest.raises(BadInput, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["seed", "=3", "seed.x=3", "searchx.y=3"])
def test_overrides_that_do_not_fit(tmp_path, override):
    with pytest.raises(BadInput):
        read(tmp_path, LEAST + "seed = 3", override)


def test_a_missing_file():
    with pytest.raises(FileProblem):
        load(Path("nowhere.toml"))


def test_choices_are_what_is_registered():
    schema = json_schema(SearchSettings)["properties"]
    assert set(configs.SURROGATES) == set(SURROGATES._builtin)
    registered = {"strategy": STRATEGIES, "choose": RULES, "inner": ALGORITHMS}
    assert {name: set(schema[name]["enum"]) for name in registered} == {k: set(v) for k, v in registered.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"space": "huge"}, {"accuracy": "tables:t.csv"}, {"seed": -1}, {"resolutions": (13, 1000)}, {"classes": 0},
        {"objectives": ("madds",)}, {"objectives": ("top1",)}, {"objectives": ("top1", "cpu_ms")},
        {"tables": {"my board_ms": Path("t.json")}}, {"tables": {"madds": Path("t.json")}}, {"budget": {"madds": 0.0}},
        {"budget": {"cpu_ms": 1.0}}, {"hypervolume": {"top1": (90.0, 80.0)}}, {"search": 3},
    ],
    ids=str,
)  # fmt: skip
def test_made_in_python_it_is_checked_as_well(changes):
    good = Config("tiny", "table:t.csv", objectives=("top1", "madds"))
    with pytest.raises(BadInput):
        replace(good, **changes)


def test_sections_made_in_python_are_checked():
    for make in (lambda: SearchSettings(initial=2), lambda: SearchSettings(surrogate="gpx"),
                 lambda: ExecutorSettings(workers=0), lambda: Scalarise("madds", -1.0)):  # fmt: skip
        with pytest.raises(BadInput, match="allowed: "):
            make()


def test_accuracies_of_an_object_need_no_source():
    config = Config("tiny", GIVEN, objectives=("top1", "madds"))
    assert parse(tomllib.loads(to_toml(config)), Path("/x"), "run.toml") == config


NAMES = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=40)
@example(tables={}, evaluate={"": -(2**63)}, budget={}, seed=2**63 - 1)
@given(
    tables=st.dictionaries(NAMES.map("{}_ms".format), TEXTS.map(lambda text: Path("/t", text.strip("/"))), max_size=4),
    evaluate=st.dictionaries(TEXTS.filter(lambda text: text != "dataset"), VALUES, max_size=4),
    budget=st.dictionaries(st.sampled_from([*COUNTS]), st.floats(1e-6, 1e15)),
    seed=st.integers(0, 2**63 - 1),
)
def test_what_is_written_is_read_again(tables, evaluate, budget, seed):
    names = ("top1", *COUNTS, *tables)
    config = Config("tiny", "table:/t.csv", None, None, names, seed, None, evaluate, tables, budget)
    assert parse(tomllib.loads(to_toml(config)), Path("/elsewhere"), "run.toml") == config


@pytest.mark.parametrize("value", [None, [1, None], object(), float("nan"), "\ud800"])
def test_options_that_toml_cannot_hold_are_refused_when_written(value):
    with pytest.raises(BadInput, match="evaluate"):
        to_toml(Config("tiny", GIVEN, evaluate={"x": value}))
