"""The promise of `import hwnas`: its names, each explained with an example that runs; and importing costs nothing."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import hwnas

PROMISED = Path(__file__).with_name("public_names.txt")
ROOT = Path(__file__).resolve().parents[3]
SLOW = {"train_supernet", "finetune", "compare", "profile"}  # that train, or load torchvision


def first_line(name: str) -> str:
    value = getattr(hwnas, name)
    return (inspect.getdoc(value) or "").splitlines()[0]


def test_the_promise_is_the_committed_list():
    """A change here is a change for every user: write it in the changelog, then into the list."""
    found = "".join(f"{name}: {first_line(name)}\n" for name in hwnas.__all__)
    assert PROMISED.read_text() == found


def test_editors_see_the_same_names():
    tree = ast.parse(Path(hwnas.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(hwnas.__all__) <= set(dir(hwnas))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = hwnas.serach


LAZY = """
import sys
before = set(sys.modules)
import hwnas
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
heavy = loaded & {"torch", "pymoo", "numpy", "onnx", "onnxruntime", "pydantic", "rich", "typer", "lut", "profilers"}
assert not heavy, heavy
hwnas.Device, hwnas.search, hwnas.Run, hwnas.LatencyTable, hwnas.Network, hwnas.Engine
assert "torch" not in sys.modules and "pymoo" not in sys.modules
import hwnas.search.driver
print(callable(hwnas.search), callable(hwnas.export))
"""


def test_importing_loads_nothing_and_names_load_no_torch():
    done = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("True True\n", "")


@pytest.mark.parametrize("room", ["search", "export", "compare", "fetch", "profile", "space"])
def test_a_room_that_is_a_command_shows_the_command(room):
    module = getattr(hwnas, room)
    assert inspect.ismodule(module) and "Args:" in module.__doc__
    assert next(iter(inspect.signature(module).parameters)) in ("space", "source", "run", "names", "model")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in hwnas.__all__]
)
def test_every_public_name_has_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value = getattr(hwnas, name)
    if inspect.ismodule(value):
        value = value.__wrapped__
    tests = [t for t in doctest.DocTestFinder(recurse=True).find(value, name) if t.examples]
    assert tests, f"hwnas.{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.failures == 0


def test_the_commands_decide_nothing():
    """`hwnas.cli` imports the surface, and of the rooms below it what options need to be read and explained."""
    allowed = ("hwnas.api", "hwnas.cli", "hwnas.version", "hwnas.space", "hwnas.fetch", "hwnas.settings")
    needed = {  # what stands in an option's help, or is printed as it is
        "hwnas.export.engines", "hwnas.export.engine_selection", "hwnas.select.insights", "hwnas.search",
        "hwnas.search.config", "hwnas.onnx.open_model", "hwnas.train.distributed", "hwnas.ofa.network_files",
    }  # fmt: skip
    for path in (ROOT / "hwnas" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hwnas"):
                assert node.module.startswith(allowed) or node.module in needed, f"{path.name}: {node.module}"


def test_public_names_are_json_friendly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = hwnas.Networks.sample("tiny", n=1, seed=3)[0]
    assert json.loads(json.dumps(network.to_json())) == network.to_json()
    assert hwnas.Network(network.to_json(), "tiny").id == network.id


def test_contract_suites_need_no_import_of_their_own():
    done = subprocess.run(
        [sys.executable, "-c", "import hwnas; print(callable(hwnas.testing.check_space))"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
