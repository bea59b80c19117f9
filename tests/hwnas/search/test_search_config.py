"""The configuration: whole, strict, and the same after a round trip."""

from pathlib import Path

import pytest

from hwnas.search import config as configs
from hwnas.search.acquisition import RULES
from hwnas.search.config import CHOICES, load, to_toml
from hwnas.search.inner import ALGORITHMS
from hwnas.search.strategies import STRATEGIES
from hwnas.surrogates import SURROGATES
from profilers.errors import BadInput, FileProblem

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
        (LEAST + "seed = -1", "positive"),
        (LEAST + "search = 3", "a section"),
        (LEAST + "resolutions = [13, 1000]", "8 to"),
        (LEAST + "[budget]\nmads = 3", "try: madds"),
        (LEAST + "[budget]\nmadds = -3", "positive"),
        (LEAST + "[budget]\nmadds = nan", "positive"),
        (LEAST + "[tables]\ncpu = 'x.json'", "_ms"),
        (LEAST + "[hypervolume]\ntop1 = [90, 80]", "worst, best"),
        (LEAST + "[hypervolume]\nmadds = [1, 2]", "worst, best"),
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
    assert set(CHOICES["surrogate"]) == set(SURROGATES) and set(CHOICES["strategy"]) == set(STRATEGIES)
    assert set(CHOICES["choose"]) == set(RULES) and set(CHOICES["inner"]) == set(ALGORITHMS)
    assert set(CHOICES) | set(configs._LEAST) == set(configs.SearchSettings.__dataclass_fields__)
