"""int8: what is quantised, with which images, and what the result is worth."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from PIL import Image

from hwnas.export import parity
from hwnas.export import quantise as module
from hwnas.export.build import PrecisionVariants, Target
from hwnas.export.calibration import Calibration, images_of_dataset, images_of_path
from hwnas.export.engines import ENGINES
from hwnas.export.pipeline import export
from hwnas.export.quantise import Quantised, check_quantised, float_parts, least_protected, quantise
from hwnas.onnx.edit import with_batch
from hwnas.space import get_space
from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import get_profiler
from tests.hwnas.exporting import REQUEST, item

INT8 = Options(precision="int8")


@pytest.fixture(scope="module")
def model():
    return PrecisionVariants(item()).float32(1)


@pytest.fixture(scope="module")
def calibration():
    work = item()
    return images_of_dataset(work.dataset, work.arch.r)


def logits(model, inputs, precision="int8", engine="onnxruntime"):
    with get_profiler(engine).load(with_batch(model, 16), Options(1, precision, 16)) as session:
        return parity.logits_of(session, inputs)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_quantised_network_still_is_the_network(model, calibration, engine):
    if not get_profiler(engine).status().available:
        pytest.skip(f"{engine} is not installed")
    found = quantise(model, calibration, tolerance=100)
    assert found.kept == "" and len(found.model) < len(model)
    expected = logits(model, calibration.held_out, "fp32")
    got = logits(found.model, calibration.held_out, engine=engine)
    error = np.sqrt(((got - expected) ** 2).mean()) / expected.std()
    assert error < 0.2


def test_what_is_kept_in_float():
    space = get_space("tiny")
    arch = space.extremes()[1]
    names = [n.name for n in onnx.load_model_from_string(PrecisionVariants(item_of(space, arch)).float32(1)).graph.node]
    found = float_parts(names)
    assert list(found) == ["", "squeeze-and-excite", "squeeze-and-excite and the last layers"]
    assert found[""] == [] and all("_se_" in n for n in found["squeeze-and-excite"])
    kept = found["squeeze-and-excite and the last layers"]
    assert {"L", names[-1][0]} == {"L"} and names[-1] in kept and names[0] not in kept
    assert float_parts(["L00_conv", "L01_pool", "L02_conv", "L03_linear"]) == {
        "": [], "the last layers": ["L01_pool", "L02_conv", "L03_linear"]
    }  # fmt: skip


def item_of(space, arch):
    from hwnas.nets import Network

    return replace(item(), arch=arch, network=Network(space.layers(arch), arch, seed=0))


def test_kept_nodes_have_float_weights(model):
    nodes = [n.name for n in onnx.load_model_from_string(model).graph.node]
    kept = float_parts(nodes)["squeeze-and-excite and the last layers"]
    graph = onnx.load_model_from_string(module.ptq.insert_qdq(model, keep=kept)).graph
    floats = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) > 1}
    weighted = {n.name: n.input[1] for n in graph.node if n.op_type in ("Conv", "Gemm")}
    assert {name for name, weight in weighted.items() if weight in floats} == set(weighted) & set(kept)


@pytest.mark.parametrize(
    ("changed", "kept", "attempts"),
    [([0.2, 9, 9], "", 1), ([3, 0.5, 9], "a", 2), ([3, 2, 0.1], "a, b", 3), ([3, 1, 2], "a", 3), ([3, 4, 5], "", 3)],
)
def test_what_keeps_least_within_the_tolerance_else_the_most_faithful(changed, kept, attempts):
    parts: dict[str, list[str]] = {"": [], "a": ["x"], "a, b": ["x", "y"]}
    asked = []

    def attempt(name, nodes):
        asked.append(nodes)
        return Quantised(b"", name, changed[len(asked) - 1])

    assert least_protected(parts, attempt, tolerance=0.5).kept == kept
    assert asked == list(parts.values())[:attempts]


def test_a_model_that_lost_a_layer_is_refused(model):
    proto = onnx.load_model_from_string(module.ptq.insert_qdq(model))
    with pytest.raises(BadInput, match="quantised layers"):
        check_quantised(model, model)
    lost = next(n for n in proto.graph.node if n.op_type == "Conv")
    lost.name = "other"
    with pytest.raises(BadInput, match="L00_conv"):
        check_quantised(proto.SerializeToString(), model)


@pytest.mark.slow
def test_tensorrt_gets_signed_activations(model):
    target = Target(ENGINES["tensorrt"], Options(precision="int8", batch=8))
    data, note = PrecisionVariants(item()).of(target)
    proto = onnx.load_model_from_string(data)
    zeros = {n.input[2] for n in proto.graph.node if n.op_type == "QuantizeLinear"}
    kinds = {t.data_type for t in proto.graph.initializer if t.name in zeros}
    assert kinds == {onnx.TensorProto.INT8} and "training images of digits" in note
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 8


@pytest.mark.slow
def test_an_int8_folder_holds_the_quantised_onnx(tmp_path):
    sheet = export({"": item()}, replace(REQUEST, options=INT8), tmp_path / "x")[""]
    assert re.search(r"int8 by .*, weights of [78] bits.*, ranges from 256 training images of digits", sheet["weights"])
    proto = onnx.load(tmp_path / "x/model.onnx")
    assert any(n.op_type == "QuantizeLinear" for n in proto.graph.node)
    assert {"preprocessing", "labels"} <= {p.key for p in proto.metadata_props}
    assert sheet["parity"]["digits test split"]["max_rel"] < 0.5


def test_without_images_there_is_no_int8(tmp_path):
    with pytest.raises(BadInput, match="--calibration"):
        export({"": item(0, None)}, replace(REQUEST, options=INT8), tmp_path / "x")


@pytest.mark.slow
def test_the_users_images_from_a_folder_and_from_an_array(tmp_path):
    work = item(0, None)
    how, rng = work.preprocessing, np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / f"{i:02d}.png")
    found = images_of_path(tmp_path, how)
    assert found.images.shape == (9, *work.input_shape) and found.held_out.shape == (3, *work.input_shape)
    assert found.images.min() >= 0 and found.images.max() <= 1
    np.savez(tmp_path / "a.npz", images=rng.standard_normal((16, *work.input_shape), dtype=np.float32))
    assert len(images_of_path(tmp_path / "a.npz", how).images) == 12
    sheet = export({"": work}, replace(REQUEST, options=INT8, calibration=tmp_path / "a.npz"), tmp_path / "x")[""]
    assert "a.npz" in sheet["weights"] and sheet["request"]["calibration"].endswith("a.npz")


def test_images_that_do_not_fit_are_refused(tmp_path):
    how = item(0, None).preprocessing
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="0 calibration images"):
        images_of_path(tmp_path / "empty", how)
    with pytest.raises(BadInput, match="is no folder"):
        images_of_path(tmp_path / "nothing", how)
    np.savez(tmp_path / "a.npz", images=np.zeros((9, 3, 5, 5)))
    with pytest.raises(BadInput, match="shape"):
        images_of_path(tmp_path / "a.npz", how)
    np.savez(tmp_path / "b.npz", other=np.zeros(3))
    with pytest.raises(BadInput, match="has no array"):
        images_of_path(tmp_path / "b.npz", how)
    (tmp_path / "empty" / "x.png").write_text("no picture")
    with pytest.raises(BadInput, match="is no image"):
        images_of_path(tmp_path / "empty", how)


def test_calibration_is_what_it_says():
    work = item()
    found = images_of_dataset(work.dataset, work.arch.r)
    assert isinstance(found, Calibration) and len(found.images) == 256 and len(found.held_out) == 400
