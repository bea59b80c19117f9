"""docs/schemas and docs/configuration.md are what the code gives, and tell an editor all that it needs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hwnas.settings import build
from tools import configuration
from tools.schemas import FILES, FOLDER, path_of, text_of

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", FILES)
def test_the_committed_file_is_what_the_code_gives(name):
    assert path_of(name).read_text() == text_of(name), "run python tools/schemas.py"


def test_the_committed_page_of_keys_is_what_the_code_gives():
    assert configuration.PATH.read_text() == configuration.text(), "run python tools/configuration.py"


def test_there_are_no_others():
    assert {path.name for path in FOLDER.iterdir()} == {path_of(name).name for name in FILES}


def keys(schema: Any) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(key, its schema, whether it is required) of all objects."""
    for node in (schema, *schema.get("$defs", {}).values()):
        for name, value in node.get("properties", {}).items():
            section = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else {}
            yield name, section | value, name in node.get("required", ())


@pytest.mark.parametrize("name", FILES)
def test_each_key_has_a_description_and_a_default_unless_it_is_required(name):
    for key, value, required in keys(json.loads(text_of(name))):
        assert value.get("description", "").endswith("."), key
        empty = value.get("type") in ("object", "array")  # a section has the defaults of its keys
        assert required or "default" in value or empty, key


@pytest.mark.parametrize(("file", "name"), [("tools/demo.toml", "recipe"), ("tools/bench/supernet.toml", "supernet")])
def test_the_files_of_demo_and_benchmarks_fit(file, name):
    kind = FILES[name][0]
    assert build(kind, tomllib.loads((ROOT / file).read_text()), file)
