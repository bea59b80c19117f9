"""API drift: what the code uses of TensorRT exists in the installed TensorRT-RTX, and in TensorRT 10.13's stubs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest

from tests.profilers.runtimes.tensorrt.sources import SOURCES, used

NAMES, MEMBERS = used()
ROOT = SOURCES[0].parents[3]
RTX_ONLY = {"ComputeCapability.__members__"}


def test_the_source_is_read():
    assert {"Builder", "OnnxParser", "ILogger.Severity.ERROR", "BuilderFlag.TF32", "TensorIOMode.INPUT"} <= NAMES
    assert {("IExecutionContext", "execute_async_v3"), ("IBuilderConfig", "set_flag")} <= MEMBERS
    assert {("ITimingCache", "serialize"), ("ParserError", "desc"), ("ICudaEngine", "get_tensor_shape")} <= MEMBERS
    print("of the module:", *sorted(NAMES))
    print("of its objects:", *sorted(f"{kind}.{name}" for kind, name in MEMBERS))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_in_tensorrt_rtx(name):
    trt = pytest.importorskip("tensorrt_rtx", reason="pip install 'hwnas[rtx]'")
    reduce(getattr, name.split("."), trt)


@pytest.mark.parametrize(("kind", "name"), sorted(MEMBERS))
def test_every_attribute_of_an_object_is_in_tensorrt_rtx(kind, name):
    trt = pytest.importorskip("tensorrt_rtx", reason="pip install 'hwnas[rtx]'")
    assert hasattr(getattr(trt, kind), name), f"{kind}.{name}"


@pytest.fixture(scope="module")
def stubs(tmp_path_factory) -> Path:
    """tensorrt-stubs with its five lines that are not Python mended; the folder to put on MYPYPATH."""
    site, target = Path(os.environ.get("HWNAS_TRT_STUBS", "none")), tmp_path_factory.mktemp("stubs")
    if not (site / "tensorrt").is_dir():
        pytest.skip("HWNAS_TRT_STUBS names no folder made by pip install --no-deps --target FOLDER tensorrt-stubs")
    for source in (*site.glob("tensorrt/*.pyi"), *site.glob("tensorrt_bindings/*.pyi")):
        text = source.read_text().replace("channel_axis: int) ->", "channel_axis: int = ...) ->")
        copy = target / source.relative_to(site)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(re.sub(r"\bin: ", "in_: ", text))
        ast.parse(copy.read_text())
    return target


def names_in(stub: Path) -> dict[str, set[str]]:
    """Classes at the top of the stub, with their members."""
    classes: dict[str, set[str]] = {}
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ClassDef):
            classes[node.name] = {
                *(n.name for n in node.body if isinstance(n, ast.FunctionDef | ast.ClassDef)),
                *(ast.unparse(n.target) for n in node.body if isinstance(n, ast.AnnAssign)),
            }
    return classes


def test_every_name_is_in_tensorrt_10(stubs):
    classes = names_in(stubs / "tensorrt_bindings" / "tensorrt.pyi")
    for name in NAMES - RTX_ONLY - {"__version__.split"}:
        kind, *member = name.split(".")
        assert kind in classes, name
        assert not member or member[0] in classes[kind], name


CONFIG = """
[mypy]
strict = true
follow_imports = silent
ignore_missing_imports = true
warn_unused_ignores = false
[mypy-tensorrt.*,tensorrt_bindings.*]
ignore_errors = true
[mypy-torch.*,onnx.*,google.*,scipy.*,sympy.*,rich.*]
follow_imports = skip
"""


def mypy(stubs: Path, folder: Path, files: list[Path]) -> str:
    (folder / "mypy.ini").write_text(CONFIG)
    command = [sys.executable, "-m", "mypy", "--config-file", str(folder / "mypy.ini"), "--cache-dir", str(folder)]
    environment = {**os.environ, "MYPYPATH": f"{stubs}{os.pathsep}{ROOT}"}
    command += ["--namespace-packages", "--explicit-package-bases", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    return done.stdout + done.stderr


def test_the_code_is_typed_against_tensorrt_10(stubs, tmp_path):
    pytest.importorskip("mypy")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import tensorrt as T\ndef f(config: T.IBuilderConfig) -> None:\n    config.set_flags_of_fancy(1)\n"
    )
    said = mypy(stubs, tmp_path, [*SOURCES, wrong])
    assert 'IBuilderConfig" has no attribute "set_flags_of_fancy"' in said  # the stubs are seen
    assert re.findall(r"^(?!.*wrong\.py).*: error: .*$", said, re.M) == []
