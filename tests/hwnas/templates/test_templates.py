"""Templates read back to the same settings, and hold every key."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

import hwnas
from hwnas.accuracy import SOURCES
from hwnas.recipe.settings import RecipeSettings
from hwnas.search.config import Config
from hwnas.settings import build
from hwnas.templates import commented_toml
from hwnas.templates.examples import UNWRITTEN
from hwnas.templates.options import source_options
from hwnas.train.config import FinetuneConfig, SupernetConfig
from profilers.fault_lines import resolved
from profilers.refusals import Refusals
from profilers.validation import draft, json_schema

KINDS = {"search": Config, "supernet": SupernetConfig, "finetune": FinetuneConfig, "run": RecipeSettings}
SEARCH = {
    "space": "tiny", "accuracy": "table:ä \"x\".csv", "resolutions": [12, 16], "objectives": ["top1", "energy", "a_ms"],
    "evaluate": {"unit": "percent", "deep": {"a": [1, 2.5, True]}}, "tables": {"a_ms": "a.json"},
    "budget": {"a_ms": 1e-05}, "hypervolume": {"top1": [1.0, 99.5]}, "search": {"initial": 8, "surrogate": "gp"},
    "executor": {"resources": {"big box": 2.0}}, "objective": {"energy": {"source": "layers:m:f", "unit": "mJ"}},
}  # fmt: skip
PHASES = [{"name": "a", "epochs": 1, "lr": 0.1, "sandwich": True}, {"name": "b", "epochs": 2, "lr": 0.2}]
CASES: list[tuple[type, dict[str, Any]]] = [
    (Config, SEARCH),
    (Config, {"space": "tiny", "accuracy": "given", "objectives": ["top1"],
              "scalarise": {"objective": "madds", "target": 10.0}}),
    (SupernetConfig, {"space": "tiny", "dataset": "digits", "out": "a", "phases": PHASES, "recipe": {"batch": 8}}),
    (FinetuneConfig, {"dataset": "digits", "archs": "a", "out": "b", "space": "tiny", "regularise": {"mixup": 0.2}}),
    (RecipeSettings, {"images": "digits", "space": "tiny", "supernet": {"phases": PHASES}, "budget": {"cpu_ms": 2.0},
                      "finetune": {"recipe": {"batch": 8}}}),
]  # fmt: skip


def in_force(text: str) -> str:
    """With what is commented out."""
    return re.sub(r"^#(?=[\w\[\"])", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("kind", "values"), CASES)
def test_values_read_back(kind, values):
    text = commented_toml(kind, values, {"space": "chosen\n  because"})
    assert "# chosen\n#   because\n" in text and max(map(len, text.splitlines())) < 140
    assert build(kind, tomllib.loads(text), "f") == build(kind, values, "f")


@pytest.mark.parametrize("name", KINDS)
def test_a_template_is_a_file_that_fits(name):
    text = hwnas.template(name)
    found = Refusals()
    assert draft(KINDS[name], tomllib.loads(text), "f", found) and not found.errors, found.errors
    assert [line for line in text.splitlines() if line and line[0] not in "#["], "what must be said is in force"


@pytest.mark.parametrize("name", KINDS)
def test_every_key_is_there_and_fits_when_it_is_in_force(name):
    schema = json_schema(KINDS[name])
    found = Refusals()
    data = tomllib.loads(in_force(hwnas.template(name)))
    draft(KINDS[name], data, "f", found)
    assert not [e for e in map(str, found.errors) if "unknown key" in e or "allowed: a" in e], found.errors
    missing = list(lacking(schema, schema, data))
    assert not missing


def lacking(node: Any, schema: Any, data: Any) -> Any:
    for key, item in node.get("properties", {}).items():
        below, value = resolved(item, schema), data.get(key)
        if value is None and key not in UNWRITTEN:
            yield key
        elif isinstance(value, list):
            yield from lacking(resolved(below.get("items"), schema), schema, value[0])
        elif isinstance(value, dict):
            yield from lacking(below, schema, value)


def test_a_key_that_the_class_lacks_is_our_own_mistake():
    with pytest.raises(KeyError, match="recipe: no key x"):
        commented_toml(SupernetConfig, {"space": "a", "recipe": {"x": 1}})


def test_another_kind_is_refused():
    with pytest.raises(hwnas.BadInput, match="'serch'; allowed: search, supernet, finetune, run; try: search"):
        hwnas.template("serch")


@pytest.mark.parametrize("kind", ["supernet", "table", "python", "ofa-predictor"])
def test_every_option_of_a_source_is_explained(kind):
    assert kind in SOURCES
    options = source_options(kind)
    assert all(option.meaning.endswith(".") for option in options)
    assert f"{kind}:" in hwnas.template("search") and {"table": 2, "python": 3}.get(kind, len(options)) == len(options)
