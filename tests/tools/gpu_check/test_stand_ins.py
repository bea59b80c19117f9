"""The stand-in of pydantic makes of our own files what pydantic makes of them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from unittest import mock

import pytest

import hwnas
from hwnas.space.definition import Definition
from lut.estimate.correction import Interval
from lut.table import store
from lut.table.table import LatencyTable
from profilers.base import Options
from profilers.constraints import AlsoText
from profilers.registry import get_profiler
from profilers.timing.fingerprint import fingerprint
from profilers.validation import validate
from tests.lut.conftest import make_table
from tools.gpu_check import needs

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(needs.__file__).parent / "stand_ins"


def module(path: Path):
    spec = importlib.util.spec_from_file_location(f"stand_in_{path.parent.name}_{path.stem}", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


STAND_IN = module(FOLDER / "pydantic" / "pydantic" / "__init__.py")
CORE = module(FOLDER / "pydantic" / "pydantic_core.py")


def read(kind, value):
    """By the stand-in; only meanwhile is pydantic's core not the real one."""
    with mock.patch.dict(sys.modules, pydantic_core=CORE):
        return STAND_IN.TypeAdapter(kind).validate_json(json.dumps(value))


def test_a_table():
    options = Options(batch=4)
    table = make_table(
        hwnas.get_space("tiny"), options=options, fingerprint=fingerprint(get_profiler("fake"), options),
        interval=Interval(0.5, 4.0, 0.95, 0, "nothing"), provenance={"networks": [1, None]}, verify={"mape": 0.01},
    )  # fmt: skip
    content = json.loads(json.dumps(store.to_json(table)))
    expected = store.from_json(content, "")
    found = read(LatencyTable, content)
    assert found == expected
    assert store.to_json(found) == content


def test_a_definition():
    value = hwnas.get_space("tiny").to_json()
    assert read(Definition, value) == validate(Definition, value, "")


class Pair(NamedTuple):
    name: str
    size: float


KINDS = [
    (int | None, None, None),
    (list[int] | str, "text", "text"),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, Pair], {"x": ["a", 1]}, {"x": Pair("a", 1.0)}),
    (frozenset[int], [1, 1], frozenset({1})),
    (Path, "a/b", Path("a/b")),
    (Literal["a"], "a", "a"),
    (Annotated[tuple[int, ...], AlsoText(lambda text: tuple(map(int, text.split(":"))), "1:2")], "3:4", (3, 4)),
]


@pytest.mark.parametrize(("kind", "value", "expected"), KINDS, ids=lambda x: str(x)[:30])
def test_kinds_of_values(kind, value, expected):
    assert read(kind, value) == expected


@pytest.mark.parametrize(("kind", "value"), [(int, "1"), (str, 1), (list[int], {"a": 1}), (tuple[int, str], [1])])
def test_what_does_not_fit(kind, value):
    with pytest.raises(STAND_IN.ValidationError):
        read(kind, value)


def test_rich_as_pip_has_it():
    pytest.importorskip("pip._vendor.rich", reason="this Python has no pip")
    imports = "import rich; from rich.console import Console; from rich.table import Table"
    draws = "t = Table('a'); t.add_row('b'); Console().print(t); print(rich.__name__)"
    environment = {**os.environ, "PYTHONPATH": str(FOLDER / "rich")}
    done = subprocess.run(
        [sys.executable, "-c", f"{imports}; {draws}"], env=environment, capture_output=True, text=True, check=True
    )
    assert "│ b │" in done.stdout
    assert done.stdout.endswith("pip._vendor.rich\n")


def test_what_hwnas_uses_of_rich_is_stood_in_for():
    used = re.search(r"^USED = \((.*)\)$", (FOLDER / "rich" / "rich" / "__init__.py").read_text(), re.M)[1]
    sources = [path.read_text() for name in ("hwnas", "lut", "profilers") for path in (ROOT / name).rglob("*.py")]
    imported = {name for text in sources for name in re.findall(r"^\s*(?:from|import) rich(\.\w+)?\b", text, re.M)}
    assert imported <= {part.strip().strip('"') for part in used.split(",")}
