"""Precisions are part of a table's identity, and int8 tables are of quantised models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut import load
from lut.build.bench import Workbench, open_bench
from lut.build.in_context import InContext
from lut.build.pipeline import build
from lut.build.schedule import BuildPlan
from lut.protocols import layers_at
from lut.table.classifier import classifiers
from lut.verify import verify
from profilers.base import Options
from profilers.errors import BadInput, FingerprintMismatch
from profilers.runtimes.fake import Fake
from profilers.runtimes.onnxruntime import OnnxRuntime
from profilers.runtimes.openvino import OpenVino
from profilers.runtimes.tensorrt.session import TensorRt

PLAN = BuildPlan(passes=1, networks=40)


@pytest.fixture
def space():
    return get_space("tiny", [12, 20])


@pytest.mark.slow
def test_int8_end_to_end(space, tmp_path):
    float32, int8 = (
        build(Workbench(space, write_onnx, Fake(), Options(precision=p)), out=tmp_path / f"{p}.json", plan=PLAN)
        for p in ("fp32", "int8")
    )
    genes = space.sample(30, np.random.default_rng(1))
    assert not np.allclose(int8.bind(space).predict(genes).ms, float32.bind(space).predict(genes).ms, rtol=0.05)
    assert load(tmp_path / "int8.json").options.precision == int8.fingerprint.precision == "int8"
    assert verify(int8, Workbench(space, write_onnx, Fake()), archs=20)["within_5"] == 1.0


@pytest.mark.slow
def test_precisions_are_never_mixed(space, tmp_path):
    path = tmp_path / "t.json"
    path.with_name("t.json.partial").write_text("")
    few = BuildPlan(passes=1, networks=12)
    build(Workbench(space, write_onnx, Fake(), Options(precision="int8")), out=path, plan=few, fresh=True)
    partial = load(path)
    with pytest.raises(FingerprintMismatch, match="precision: fp32 here, int8 there"):
        from lut.verify import check_fingerprint

        check_fingerprint(_with_precision(partial, "fp32"), Fake())


def _with_precision(table, precision):
    return replace(table, options=replace(table.options, precision=precision))


@pytest.mark.slow
@pytest.mark.parametrize("profiler", [OnnxRuntime(), OpenVino()], ids=lambda p: p.name)
def test_layers_keep_their_names_in_quantised_models(space, profiler):
    if not profiler.status().available:
        pytest.skip(profiler.status().reason)
    with open_bench(Workbench(space, write_onnx, profiler, Options(precision="int8"))) as bench:
        batch = InContext().measure(bench, 20, 0)
    assert batch.unattributed_fraction < 0.02 and batch.fused == []
    times = {key: min(values) for key, values in batch.layers.items()}
    assert set(times) == {layer.key for layer in (*layers_at(space, 20), *classifiers(space))}
    pool = [times.pop(key) for key in list(times) if key.startswith("pool")]  # it takes OpenVINO .1 us: may be 0 to it
    assert all(ms > 0 for ms in times.values())
    assert all(ms > 0 or (ms == 0 and profiler.name == "openvino") for ms in pool)


def test_what_a_runtime_is_given(space):
    layers = space.layers(space.extremes(20)[0])
    for profiler, symmetric in ((OnnxRuntime(), False), (TensorRt(), True)):
        graph = onnx.load_from_string(
            Workbench(space, write_onnx, profiler, Options(precision="int8")).model(layers)
        ).graph
        zeros = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer if t.name.endswith("_zero")}
        assert all(z.dtype == np.int8 for z in zeros.values()) is symmetric
    plain = onnx.load_from_string(Workbench(space, write_onnx, OnnxRuntime()).model(layers)).graph
    assert not any(node.op_type == "QuantizeLinear" for node in plain.node)


def test_a_precision_that_the_runtime_lacks_is_one_line(space, tmp_path):
    with pytest.raises(BadInput, match=r"precision 'bf16' on onnxruntime"):
        build(
            Workbench(space, write_onnx, OnnxRuntime(), Options(precision="bf16")), out=tmp_path / "t.json", plan=PLAN
        )
