"""Networks measured end to end here, and the bundle with which another machine measures them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import profilers
from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build import standalone
from lut.build.bench import Workbench
from lut.build.end_to_end import LOOP, measure, write_bundle
from profilers.base import Options
from profilers.errors import BadInput, MeasurementFailed
from profilers.runtimes.fake import Behaviour, Fake

pytestmark = pytest.mark.slow


@pytest.fixture
def space():
    return get_space("tiny", [12, 20])


@pytest.fixture
def archs(space):
    return list(space.decode(space.sample(22, np.random.default_rng(0))))


def test_networks_are_measured_by_id(space, archs):
    group = measure(Workbench(space, write_onnx, Fake()), archs)
    ideal = [Fake().load(write_onnx(space.layers(a)), Options()).ideal_ms for a in archs]
    found = [group.measured[a.id] for a in archs]
    assert group.failed == {} and len(group.measured) == len(archs)
    np.testing.assert_allclose([m.ms for m in found], ideal, rtol=0.02)
    assert all(m.low < m.ms < m.high and m.clock == "wall" and m.state == "steady" for m in found)


def test_what_cannot_be_measured(space, archs):
    with pytest.raises(BadInput):
        measure(Workbench(space, write_onnx, Fake()), [])
    with pytest.raises(MeasurementFailed):
        measure(Workbench(space, write_onnx, Fake(Behaviour(fail_after=9))), archs)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_bundle_is_measured_by_its_own_script(space, archs, tmp_path, precision):
    options = Options(precision=precision)
    files = write_bundle(tmp_path / "b", Workbench(space, write_onnx, Fake(), options), archs[:3])
    names = sorted(p.relative_to(tmp_path / "b").as_posix() for p in files)
    loop = sorted(f"profilers/{name}.py" for name in LOOP)
    models = [f"models/{i:03d}.onnx" for i in range(3)]
    assert names == ["measure.py", *models, "networks.jsonl", *loop]
    assert all(p.is_file() for p in files)
    quantised = any(n.op_type == "QuantizeLinear" for n in onnx.load(files[0]).graph.node)
    assert quantised is (precision == "int8")
    subprocess.run(
        [sys.executable, "-I", tmp_path / "b/measure.py", "--rounds", "3"], check=True, capture_output=True, cwd="/"
    )
    rows = [json.loads(line) for line in (tmp_path / "b/measured.jsonl").read_text().splitlines()]
    assert [space.parse(r["arch"]) for r in rows] == archs[:3]
    assert all(r["low"] <= r["latency_ms"] <= r["high"] for r in rows)
    assert {(r["batch"], r["precision"], r["state"]) for r in rows} == {(1, precision, "steady")}
    assert "median" in rows[0]["estimator"]


ALLOWED = {"numpy", "onnxruntime", "openvino", *sys.stdlib_module_names}


def test_the_script_and_its_loop_need_python_3_8_numpy_and_the_runtime():
    """Old syntax, and imports of nothing else but the loop's own modules."""
    package = Path(profilers.__file__).parent
    for path in (Path(standalone.__file__), *(package / f"{name}.py" for name in LOOP)):
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        for node in walk(tree):
            assert not (isinstance(node, ast.keyword) and node.arg == "strict"), path
            for name in imported(node):
                place = name.partition(".")[2].replace(".", "/")
                own = name.startswith("profilers") and {place, f"{place}/__init__".lstrip("/")} & set(LOOP)
                assert own or name.partition(".")[0] in ALLOWED, (path, name)


def walk(tree):
    """All nodes but those for type checkers only."""
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING":
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from walk(child)


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"profilers.{a.name}" for a in node.names] if node.module == "profilers" else [node.module]
    return []


def test_the_script_on_openvino(space, archs, tmp_path):
    pytest.importorskip("openvino")
    write_bundle(tmp_path, Workbench(space, write_onnx, Fake()), archs[:2])
    standalone.main(["--bundle", str(tmp_path), "--engine", "openvino", "--rounds", "3"])
    assert len((tmp_path / "measured.jsonl").read_text().splitlines()) == 2


def trtexec(tmp_path, monkeypatch, body):
    program = tmp_path / "bin/trtexec"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_the_script_reads_trtexec(space, archs, tmp_path, monkeypatch):
    line = "[I] GPU Compute Time: min = 1.1 ms, max = 2.2 ms, mean = 1.3 ms, median = 1.25 ms, percentile(90%) = 1.4 ms"
    trtexec(tmp_path, monkeypatch, f'test "$5" = --fp16 && echo "{line}"')
    write_bundle(tmp_path / "b", Workbench(space, write_onnx, Fake(), Options(batch=64)), archs[:2])
    standalone.main(["--bundle", str(tmp_path / "b"), "--engine", "trtexec", "--precision", "fp16"])
    rows = [json.loads(line) for line in (tmp_path / "b/measured.jsonl").read_text().splitlines()]
    assert [r["latency_ms"] for r in rows] == [1.25, 1.25] and rows[0]["batch"] == 64
    assert {(r["state"], r["estimator"]) for r in rows} == {("steady", "median of the GPU times that trtexec reports")}


def test_the_script_says_what_trtexec_said(tmp_path, monkeypatch):
    trtexec(tmp_path, monkeypatch, "echo no such card >&2; exit 1")
    with pytest.raises(SystemExit, match="no such card"):
        standalone.by_trtexec(tmp_path / "x.onnx", "fp32")
