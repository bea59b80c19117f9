"""Small ONNX models that runtimes are checked with; nodes are named as the product names them, or as torch does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = {"table": (10, 8), "scale": (8,), "bias": (8,), "weight": (8, 8)}
CONSTANTS = {
    "last": np.array([-1]), "middle": np.array([1]), "root": np.float32(2**0.5), "one": np.float32(1),
    "half": np.float32(0.5),
}  # fmt: skip


def chain(kernel: int = 3, channels: int = 8, size: int = 12, batch: int | None = 1, opset: int = 18) -> bytes:
    """Two convolutions with a ReLU between them: `input` of (batch, 3, size, size) to `output`."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal((channels, c, kernel, kernel)).astype(np.float32) / kernel, name)
        for name, c in (("w0", 3), ("w1", channels))
    ]
    pads: dict[str, Any] = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4}
    nodes = [
        helper.make_node("Conv", ["input", "w0"], ["L00_conv"], name="L00_conv", **pads),
        helper.make_node("Relu", ["L00_conv"], ["L00_act"], name="L00_act"),
        helper.make_node("Conv", ["L00_act", "w1"], ["output"], name="L01_conv", **pads),
    ]
    first = "batch" if batch is None else batch
    shapes = {"input": [first, 3, size, size], "output": [first, channels, size, size]}
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    return model(helper.make_graph(nodes, "chain", info[:1], info[1:], weights), opset)


def two_inputs() -> bytes:
    """The sum of two float inputs, `a` and `b`."""
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("a", "b", "sum")]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["sum"], name="L00_add")], "g", info[:2], info[2:])
    return model(graph)


def tokens() -> bytes:
    """Whole numbers and a mask in, two outputs; with a decomposed GELU and a LayerNormalization."""
    rng, node = np.random.default_rng(0), helper.make_node
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in WEIGHTS.items()}
    nodes = [
        node("Gather", ["table", "tokens"], ["embedded"], name="/embedding/Gather"),
        node("Cast", ["mask"], ["kept"], name="/mask/Cast", to=TensorProto.FLOAT),
        node("Unsqueeze", ["kept", "last"], ["column"], name="/mask/Unsqueeze"),
        node("Mul", ["embedded", "column"], ["masked"], name="/mask/Mul"),
        node("LayerNormalization", ["masked", "scale", "bias"], ["normed"], name="/norm/LayerNormalization"),
        node("MatMul", ["normed", "weight"], ["product"], name="/linear/MatMul"),
        node("Add", ["product", "bias"], ["linear"], name="/linear/Add"),
        node("Div", ["linear", "root"], ["scaled"], name="/gelu/Div"),
        node("Erf", ["scaled"], ["erf"], name="/gelu/Erf"),
        node("Add", ["erf", "one"], ["moved"], name="/gelu/Add"),
        node("Mul", ["linear", "moved"], ["gated"], name="/gelu/Mul"),
        node("Mul", ["gated", "half"], ["gelu"], name="/gelu/Mul_1"),
        node("Add", ["gelu", "masked"], ["hidden"], name="/residual/Add"),
        node("ReduceMean", ["hidden", "middle"], ["pooled"], name="/pool/ReduceMean", keepdims=0),
    ]
    inputs = {"tokens": (TensorProto.INT64, [1, 5]), "mask": (TensorProto.BOOL, [1, 5])}
    outputs = {"hidden": (TensorProto.FLOAT, [1, 5, 8]), "pooled": (TensorProto.FLOAT, [1, 8])}
    entries, exits = ([helper.make_tensor_value_info(n, *t) for n, t in some.items()] for some in (inputs, outputs))
    stored = [numpy_helper.from_array(np.asarray(values), name) for name, values in (weights | CONSTANTS).items()]
    return model(helper.make_graph(nodes, "tokens", entries, exits, stored))


def dynamic_size() -> bytes:
    """Of an image of any size, which must be pinned before a runtime takes it."""
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, "h", "w"]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"], name="L00_relu")], "g", info[:1], info[1:])
    return model(graph)


def model(graph: onnx.GraphProto, opset: int = 18) -> bytes:
    """A graph as a model."""
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    data: bytes = made.SerializeToString()
    return data
