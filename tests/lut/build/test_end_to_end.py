"""Networks measured end to end here, and the bundle with which another machine measures them."""

from __future__ import annotations

import ast
import json
import os
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


OLD = "/tmp/exp/v38/bin/python"  # or HWNAS_PYTHON38: Python 3.8 with numpy and onnxruntime only


def test_the_script_keeps_each_group_and_goes_on(space, archs, tmp_path):
    """On the oldest Python: what was measured before a network that cannot be run is not measured again."""
    python = next((p for p in (os.environ.get("HWNAS_PYTHON38", ""), OLD) if Path(p).is_file()), sys.executable)
    write_bundle(tmp_path / "b", Workbench(space, write_onnx, Fake()), archs)
    last, done = tmp_path / "b/models/021.onnx", tmp_path / "b/measured.jsonl"
    model = last.read_bytes()
    last.write_bytes(b"no model")
    command = [python, "-I", tmp_path / "b/measure.py", "--rounds", "3"]
    first = subprocess.run(command, capture_output=True, text=True, cwd="/")
    (said,) = first.stderr.splitlines()
    assert first.returncode == 1 and "18 networks are kept in" in said and not done.exists()
    how, *kept = (tmp_path / "b/measured.jsonl.partial").read_text().splitlines()
    assert json.loads(how)["rounds"] == 3 and [json.loads(row)["network"] for row in kept] == list(range(18))
    last.write_bytes(model)
    subprocess.run(command, check=True, capture_output=True, cwd="/")
    rows = [json.loads(line) for line in done.read_text().splitlines()]
    assert len(rows) == 22 and [r["latency_ms"] for r in rows[:18]] == [
        json.loads(row)["facts"]["latency_ms"] for row in kept
    ]
    assert not (tmp_path / "b/measured.jsonl.partial").exists()


KILLED = """
echo $2 >> {folder}/calls
case "$1" in *002.onnx) test -e {folder}/again || kill -9 $PPID;; esac
echo "GPU Compute Time: median = $(grep -c . {folder}/calls).5 ms"
"""


def bundle_of_five(space, archs, tmp_path, monkeypatch):
    """A bundle whose third network kills the script, until there is a file `again`."""
    trtexec(tmp_path, monkeypatch, KILLED.format(folder=tmp_path))
    write_bundle(tmp_path / "b", Workbench(space, write_onnx, Fake()), archs[:5])
    return [sys.executable, "-I", tmp_path / "b/measure.py", "--engine", "trtexec"]


def test_the_script_goes_on_after_a_kill(space, archs, tmp_path, monkeypatch):
    command = bundle_of_five(space, archs, tmp_path, monkeypatch)
    partial, out = tmp_path / "b/measured.jsonl.partial", tmp_path / "b/measured.jsonl"
    assert subprocess.run(command, capture_output=True).returncode == -9
    assert len(partial.read_text().splitlines()) == 3
    with partial.open("a") as file:
        file.write('{"network": 2, "fac')  # a line that was cut off
    (tmp_path / "again").touch()
    other = subprocess.run([*command, "--threads", "2"], capture_output=True, text=True)
    assert (
        other.returncode == 1 and "measured otherwise: threads was 1, is 2; try: the same, or --fresh" in other.stderr
    )
    subprocess.run(command, check=True)
    times = [json.loads(line)["latency_ms"] for line in out.read_text().splitlines()]
    assert times == [1.5, 2.5, 4.5, 5.5, 6.5] and not partial.exists()  # the third was begun twice
    assert "kept (--fresh begins anew)" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    other = subprocess.run([*command, "--threads", "2"], capture_output=True, text=True)
    assert other.returncode == 1 and "of other networks, or measured otherwise" in other.stderr
    subprocess.run([*command, "--fresh"], check=True)
    assert json.loads(out.read_text().splitlines()[0])["latency_ms"] == 7.5


def test_the_script_says_what_is_damaged_or_missing(space, archs, tmp_path, monkeypatch):
    write_bundle(tmp_path, Workbench(space, write_onnx, Fake()), archs[:1])
    (tmp_path / "measured.jsonl.partial").write_text("{}\n{\n")
    with pytest.raises(SystemExit, match=r"partial is damaged; try: --fresh"):
        standalone.main(["--bundle", str(tmp_path)])
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(SystemExit, match=r"openvino.*; try: .* -m pip install openvino"):
        standalone.main(["--bundle", str(tmp_path), "--engine", "openvino", "--fresh"])


def test_the_script_says_what_trtexec_said(tmp_path, monkeypatch):
    trtexec(tmp_path, monkeypatch, "echo no such card >&2; exit 1")
    with pytest.raises(SystemExit, match="no such card"):
        standalone.by_trtexec(tmp_path / "x.onnx", "fp32")
