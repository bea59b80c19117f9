"""The way data flows: imports go in one direction, have no cycle, and searching needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("profilers", "lut", "hwnas")
FILES = {p: sorted((ROOT / p).rglob("*.py")) for p in LAYERS}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(f): f for files in FILES.values() for f in files}


RISKY = {"yaml.load", "yaml.unsafe_load", "eval", "exec", "os.system", "os.popen", "torch.load"}
OPTIONS = {"shell", "allow_pickle", "weights_only"}


class Read(NamedTuple):
    """What the tests below want of a file, which is parsed once: every import, and calls of `RISKY` or by `OPTIONS`."""

    imports: set[str]
    calls: list[tuple[str, dict[str | None, str]]]


@cache
def read(path: Path) -> Read:
    found = Read(set(), [])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.imports.update(a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{a.name}" for a in node.names]
            found.imports.update(name if name in MODULES else node.module for name in names)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
            if name in RISKY or any(k.arg in OPTIONS for k in node.keywords):
                found.calls.append((name, {k.arg: ast.unparse(k.value) for k in node.keywords}))
    return found


def imports(path: Path) -> set[str]:
    """Modules of this project that a file imports, those inside functions and under TYPE_CHECKING included."""
    return {name for name in read(path).imports if name.split(".")[0] in LAYERS}


@pytest.mark.parametrize("package", LAYERS)
def test_packages_import_only_those_below(package):
    allowed = LAYERS[: LAYERS.index(package) + 1]
    for path in FILES[package]:
        for name in imports(path):
            assert name.split(".")[0] in allowed, f"{path} imports {name}"


def test_no_import_cycle():
    """Of files; an import inside a function or under TYPE_CHECKING counts like any other."""
    graph = {name: imports(path) & set(MODULES) - {name} for name, path in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())
    assert len(order) == len(MODULES)


# The rooms of hwnas from the ground up (docs/architecture.md). Rooms of one floor may import each other.
FLOORS = (
    {"callable_room", "version"},
    {"settings", "space"},
    {"nets", "ofa", "onnx", "surrogates"},
    {"fetch"},
    {"data"},
    {"train"},
    {"accuracy"},
    {"search"},
    {"select"},
    {"compare", "export", "profile"},
    {"report"},
    {"live"},
    {"api"},
    {"recipe", "templates"},
    {"testing"},
    {"cli"},
    {"__main__"},
)


def test_rooms_import_only_those_below():
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for path in FILES["hwnas"]:
        name = module_name(path)
        if name == "hwnas":
            continue
        room = name.split(".")[1]
        for imported in imports(path):
            above = imported.startswith("hwnas.") and floor[imported.split(".")[1]] > floor[room]
            assert not above, f"{name} imports {imported}, a room above its own"


BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, Blocker())
import importlib, pkgutil
for package in sys.argv[1:]:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), package + "."):
        importlib.import_module(found.name)
assert "torch" not in sys.modules
"""


@pytest.mark.slow
def test_searching_and_tables_need_no_torch():
    packages = ["profilers", "lut", "hwnas.space", "hwnas.surrogates", "hwnas.search", "hwnas.onnx", "hwnas.select"]
    done = subprocess.run([sys.executable, "-c", BLOCKED, *packages], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_loading_is_safe():
    """No pickle, no unsafe YAML, no shell, and torch.load only with weights_only."""
    for path in MODULES.values():
        for name, keywords in read(path).calls:
            assert keywords.get("shell") != "True", path
            assert keywords.get("allow_pickle") != "True", path
            assert name not in RISKY or (name == "torch.load" and keywords.get("weights_only") == "True"), path


OPENS_CODE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}  # and may run what it reads


def test_nothing_reads_pickles():
    """But the two ends of a pipe between a process of ours and its child."""
    imported = {name: {x.partition(".")[0] for x in read(path).imports} for name, path in MODULES.items()}
    assert {name for name, found in imported.items() if OPENS_CODE & found} == {"profilers.isolate"}


@pytest.mark.parametrize("package", LAYERS)
def test_every_folder_says_what_belongs_in_it(package):
    for folder in {path.parent for path in FILES[package]}:
        opening = folder / "__init__.py"
        assert opening.is_file() and ast.get_docstring(ast.parse(opening.read_text())), folder
