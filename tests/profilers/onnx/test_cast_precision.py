from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.base import Tensor
from profilers.errors import BadInput
from profilers.onnx.cast_precision import _bfloat16, prepare
from tests.profilers import models

TYPES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}


def network(batch: int | None = 2) -> bytes:
    """A small one of mbv3: h-swish, squeeze-and-excite and residuals are in it."""
    space = get_space("mbv3")
    return write_onnx(space.layers(space.extremes()[0]), batch=batch)


def parsed(data: bytes) -> onnx.ModelProto:
    return onnx.load_model_from_string(data)


def run(data: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


@pytest.mark.parametrize("precision", TYPES)
def test_everything_between_the_casts_is_cast(precision):
    model = parsed(prepare(network(), precision, 2).data)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    assert {t.data_type for t in inferred.initializer} == {TYPES[precision]}
    assert {v.type.tensor_type.elem_type for v in inferred.value_info} == {TYPES[precision]}
    for end in (*model.graph.input, *model.graph.output):
        assert end.type.tensor_type.elem_type == TensorProto.FLOAT


def test_half_precision_computes_nearly_the_same():
    images = np.random.default_rng(0).standard_normal((2, 3, 192, 192), dtype=np.float32)
    expected, found = run(network(), images), run(prepare(network(), "fp16", 2).data, images)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert 1e-6 < error < 1e-2  # not the same, or nothing was cast


def test_bfloat16_without_hard_swish_is_the_same_function():
    """The rewriting alone: weights rounded to bfloat16 but computed in float32 must give the same in both forms."""
    model = parsed(prepare(network(), "bf16", 2).data)
    assert "HardSwish" not in {n.op_type for n in model.graph.node}
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast":
                attribute.i = TensorProto.FLOAT
    rounded = parsed(network())
    for tensor in rounded.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
    images = np.random.default_rng(0).standard_normal((2, 3, 192, 192), dtype=np.float32)
    found, expected = run(model.SerializeToString(), images), run(rounded.SerializeToString(), images)
    assert np.allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_node_names_are_kept(precision):
    before = {n.name for n in parsed(network()).graph.node}
    after = {n.name for n in parsed(prepare(network(), precision, 2).data).graph.node}
    assert before <= after


def test_a_dynamic_batch_becomes_static():
    found = prepare(network(None), "fp32", 5)
    graph = parsed(found.data).graph
    shapes = [tensor.shape for tensor in (*found.inputs.values(), *found.outputs.values())]
    assert shapes == [(5, 3, 192, 192), (5, 1000)]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_value == 5
    assert graph.output[0].type.tensor_type.shape.dim[0].dim_value == 5


@pytest.mark.parametrize(
    ("model", "precision", "words"),
    [
        (b"garbage", "fp32", "cannot be read"),
        (models.dynamic_size(), "fp32", "dynamic dimensions.*--shape a=1x3x"),
        (models.text_input(), "fp32", "tensor a of type text"),
        (models.chain(), "int8", "without QuantizeLinear"),
    ],
)
def test_other_models_are_refused_in_one_line(model, precision, words):
    with pytest.raises(BadInput, match=words) as caught:
        prepare(model, precision, 1)
    assert "\n" not in str(caught.value)


def test_whole_numbers_and_masks_are_not_cast():
    found = prepare(models.tokens(), "fp32", 1)
    assert found.inputs == {"tokens": Tensor((1, 5), "int64"), "mask": Tensor((1, 5), "bool")}
    assert {name: t.dtype for name, t in found.outputs.items()} == {"hidden": "float32", "pooled": "float32"}
    cast = parsed(prepare(models.two_inputs(), "fp16", 1).data)
    assert [n.name for n in cast.graph.node] == ["cast_a", "cast_b", "L00_add", "cast_sum"]
    assert all(t.type.tensor_type.elem_type == TensorProto.FLOAT for t in (*cast.graph.input, *cast.graph.output))


def test_bfloat16_is_rounded_like_the_reference():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.standard_normal(1000) * 10.0 ** rng.integers(-30, 30, 1000), [0.0, -0.0, 1.00390625]])
    values = values.astype(np.float32)
    assert np.array_equal(_bfloat16(values), values.astype(ml_dtypes.bfloat16).view(np.uint16))


def small(operator: str, weight: float = 1.0, opset: int = 18) -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("a", "b")]
    nodes = [helper.make_node("Add", ["a", "w"], ["s"]), helper.make_node(operator, ["s"], ["b"])]
    weights = [numpy_helper.from_array(np.full(4, weight, np.float32), "w")]
    graph = helper.make_graph(nodes, "g", info[:1], info[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9).SerializeToString()


def test_operators_that_half_precision_could_spoil_are_refused_by_name():
    with pytest.raises(BadInput, match="Exp"):
        prepare(small("Exp"), "fp16", 1)
    assert prepare(small("Exp"), "fp32", 1).inputs == {"a": Tensor((1, 4), "float32")}


def test_a_weight_that_half_precision_cannot_hold_is_refused():
    with pytest.raises(BadInput, match="1e\\+05"):
        prepare(small("Relu", 1e5), "fp16", 1)
    assert prepare(small("Relu", 1e5), "bf16", 1).outputs == {"b": Tensor((1, 4), "float32")}


def test_constants_inside_the_graph_are_cast_too():
    model = parsed(small("Relu"))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=model.graph.initializer.pop()))
    cast = parsed(prepare(model.SerializeToString(), "fp16", 1).data)
    onnx.checker.check_model(cast, full_check=True)
    assert run(cast.SerializeToString(), np.ones((1, 4), np.float32)).tolist() == [[2.0] * 4]


def test_bfloat16_wants_operators_that_are_the_same_in_the_opset_that_has_it():
    with pytest.raises(BadInput, match="opset 13"):
        prepare(small("Relu", opset=13), "bf16", 1)
    assert prepare(small("Relu", opset=13), "fp16", 1).inputs == {"a": Tensor((1, 4), "float32")}
