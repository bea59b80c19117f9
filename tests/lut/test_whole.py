"""Whole networks measured here, and the bundle with which another machine measures them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwnas.onnx_writer import write_onnx
from hwnas.space import get_space
from lut import target
from lut.whole import measure, write_bundle
from profilers.base import Options
from profilers.errors import BadInput, MeasurementFailed
from profilers.fake import Behaviour, Fake


@pytest.fixture
def space():
    return get_space("tiny", [12, 20])


@pytest.fixture
def archs(space):
    return list(space.decode(space.sample(22, np.random.default_rng(0))))


def test_networks_are_measured_in_order(space, archs):
    timings, failed = measure(space, archs, write_onnx, Fake())
    ideal = [Fake().load(write_onnx(space.layers(a)), Options()).ideal_ms for a in archs]
    assert [t.arch for t in timings] == archs and failed == []
    np.testing.assert_allclose([t.ms for t in timings], ideal, rtol=0.02)
    assert all(t.low <= t.ms <= t.high and t.clock == "wall" for t in timings)


def test_what_cannot_be_measured(space, archs):
    with pytest.raises(BadInput):
        measure(space, [], write_onnx, Fake())
    with pytest.raises(MeasurementFailed):
        measure(space, archs, write_onnx, Fake(Behaviour(fail_after=9)))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_bundle_is_measured_by_its_own_script(space, archs, tmp_path, precision):
    options = Options(precision=precision)
    files = write_bundle(tmp_path / "b", space, archs[:3], write_onnx, Fake(), options)
    assert sorted(p.name for p in files) == ["000.onnx", "001.onnx", "002.onnx", "measure.py", "networks.jsonl"]
    assert all(p.is_file() for p in files)
    quantised = any(n.op_type == "QuantizeLinear" for n in onnx.load(files[0]).graph.node)
    assert quantised is (precision == "int8")
    subprocess.run(
        [sys.executable, "-I", tmp_path / "b/measure.py", "--rounds", "3"], check=True, capture_output=True, cwd="/"
    )
    rows = [json.loads(line) for line in (tmp_path / "b/measured.jsonl").read_text().splitlines()]
    assert [space.parse(r["arch"]) for r in rows] == archs[:3]
    assert all(r["latency_ms"] > 0 and r["batch"] == 1 and r["precision"] == precision for r in rows)


def test_the_script_imports_nothing_of_ours():
    lines = [s for s in Path(target.__file__).read_text().splitlines() if s.startswith(("import", "from"))]
    assert not any("lut" in s or "profilers" in s or "hwnas" in s for s in lines)


def test_the_script_on_openvino(space, archs, tmp_path):
    pytest.importorskip("openvino")
    write_bundle(tmp_path, space, archs[:2], write_onnx, Fake(), Options())
    target.main(["--bundle", str(tmp_path), "--engine", "openvino", "--rounds", "3"])
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
    write_bundle(tmp_path / "b", space, archs[:2], write_onnx, Fake(), Options(batch=64))
    target.main(["--bundle", str(tmp_path / "b"), "--engine", "trtexec", "--precision", "fp16"])
    rows = [json.loads(line) for line in (tmp_path / "b/measured.jsonl").read_text().splitlines()]
    assert [r["latency_ms"] for r in rows] == [1.25, 1.25] and rows[0]["batch"] == 64


def test_the_script_says_what_trtexec_said(tmp_path, monkeypatch):
    trtexec(tmp_path, monkeypatch, "echo no such card >&2; exit 1")
    with pytest.raises(SystemExit, match="no such card"):
        target.by_trtexec(tmp_path / "x.onnx", "fp32")
