"""Models as other tools write them, by ONNX's own helper: small, so that building an engine takes no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, INT64, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.UINT8
CLASSES = 4


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, shape, seed=0, dtype=np.float32):
    return numpy_helper.from_array(np.random.default_rng(seed).standard_normal(shape).astype(dtype), name)


def model(nodes, inputs, outputs, weights=(), opset=17) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "made elsewhere", inputs, outputs, list(weights))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def save(made: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def classifier(
    batch: int | str = "N", *, layout: str = "NCHW", softmax: bool = False, kind: int = FLOAT, opset: int = 17,
    names: Sequence[str] = ("pixels", "scores"),
) -> onnx.ModelProto:  # fmt: skip
    """Two convolutions, a pool and a linear layer; images of 16 px, four classes."""
    dtype = {FLOAT: np.float32, HALF: np.float16, BYTE: np.float32}[kind]
    entry, exit_ = names
    weights = [constant("w0", (8, 3, 3, 3), 1, dtype), constant("w1", (8, 8, 3, 3), 2, dtype),
               constant("w2", (8, CLASSES), 3, dtype)]  # fmt: skip
    nodes, last = [], entry
    if kind == BYTE:
        nodes.append(helper.make_node("Cast", [last], ["floats"], to=FLOAT))
        weights.append(numpy_helper.from_array(np.float32(1 / 255), "scale"))
        nodes.append(helper.make_node("Mul", ["floats", "scale"], ["scaled"]))
        last = "scaled"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [last], ["planes"], perm=[0, 3, 1, 2]))
        last = "planes"
    nodes += [
        helper.make_node("Conv", [last, "w0"], ["c0"], strides=[2, 2]), helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("Conv", ["r0", "w1"], ["c1"]), helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("GlobalAveragePool", ["r1"], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w2"], ["logits_" if softmax else exit_]),
    ]  # fmt: skip
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits_"], [exit_], axis=1))
    shape = [batch, 3, 16, 16] if layout == "NCHW" else [batch, 16, 16, 3]
    out = HALF if kind == HALF else FLOAT
    return model(nodes, [info(entry, shape, kind)], [info(exit_, [batch, CLASSES], out)], weights, opset)


def tokens(batch: int | str = "N", length: int | str = 6) -> onnx.ModelProto:
    """Two inputs (tokens, their mask), two outputs (their mean, and the place of its largest value)."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Cast", ["mask"], ["weights"], to=FLOAT),
        helper.make_node("Unsqueeze", ["weights", "last"], ["columns"]),
        helper.make_node("Mul", ["rows", "columns"], ["kept"]),
        helper.make_node("ReduceMean", ["kept"], ["mean/of rows"], axes=[1], keepdims=0),
        helper.make_node("ArgMax", ["mean/of rows"], ["best"], axis=1, keepdims=0),
    ]
    inputs = [info("ids", [batch, length], INT64), info("mask", [batch, length], INT64)]
    outputs = [info("mean/of rows", [batch, 8]), info("best", [batch], INT64)]
    weights = [constant("table", (20, 8)), numpy_helper.from_array(np.array([2], np.int64), "last")]
    return model(nodes, inputs, outputs, weights)


def segmenter(batch: int | str = 1) -> onnx.ModelProto:
    """An image in, an image of the same size out."""
    nodes = [helper.make_node("Conv", ["image", "w"], ["map"], pads=[1, 1, 1, 1])]
    return model(
        nodes, [info("image", [batch, 3, 12, 12])], [info("map", [batch, 5, 12, 12])], [constant("w", (5, 3, 3, 3))]
    )


def nothing() -> onnx.ModelProto:
    """No inputs."""
    return model([helper.make_node("Relu", ["w"], ["y"])], [], [info("y", [2, 3])], [constant("w", (2, 3))])
