"""The way data flows: imports go in one direction, have no cycle, and searching needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("profilers", "lut", "hwnas")
FILES = {p: sorted((ROOT / p).rglob("*.py")) for p in LAYERS}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(f): f for files in FILES.values() for f in files}


def imports(path: Path) -> set[str]:
    """Modules of this project that a file imports, those inside functions and under TYPE_CHECKING included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names
            }
    return {name for name in found if name.split(".")[0] in LAYERS}


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
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                text = ast.unparse(node.func)
                keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert keywords.get("shell") != "True", path
                assert keywords.get("allow_pickle") != "True", path
                if text == "torch.load":
                    assert keywords.get("weights_only") == "True", path
                assert text not in ("yaml.load", "yaml.unsafe_load", "eval", "exec", "os.system", "os.popen"), path


OPENS_CODE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}  # and may run what it reads


def test_nothing_reads_pickles():
    """But the two ends of a pipe between a process of ours and its child."""
    found = {name for name, path in MODULES.items() if OPENS_CODE & imported(path)}
    assert found == {"profilers.isolate"}


def imported(path):
    """The first parts of all modules that a file imports, ours or not."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("package", LAYERS)
def test_every_folder_says_what_belongs_in_it(package):
    for folder in {path.parent for path in FILES[package]}:
        opening = folder / "__init__.py"
        assert opening.is_file() and ast.get_docstring(ast.parse(opening.read_text())), folder
