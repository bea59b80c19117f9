"""Models that are not of a search space: two inputs, tokens, dynamic dimensions, weights in other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY, WIDTH = 50, 8


def proto(nodes, inputs, outputs, weights=()) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def info(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def tokens_and_image(tokens=("batch", "seq"), image=("batch", 3, "h", "w")) -> onnx.ModelProto:
    """Rows of a table, averaged over tokens, plus the mean of a convolution's channels."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((VOCABULARY, WIDTH)).astype(np.float32)
    kernel = rng.standard_normal((WIDTH, 3, 3, 3)).astype(np.float32)
    weights = [numpy_helper.from_array(v, n) for n, v in (("table", table), ("kernel", kernel))]
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["rows"], name="look_up"),
        helper.make_node("ReduceMean", ["rows", "axis"], ["text"], name="mean", keepdims=0),
        helper.make_node("Conv", ["image", "kernel"], ["maps"], name="conv"),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"], name="pool"),
        helper.make_node("Flatten", ["pooled"], ["picture"], name="flatten"),
        helper.make_node("Add", ["text", "picture"], ["out"], name="add"),
    ]
    ends = [info("tokens", tokens, TensorProto.INT64), info("image", image)]
    return proto(nodes, ends, [info("out", [tokens[0], WIDTH])], weights)


def external(folder: Path, location: str = "weights.bin", *, offset: int = 0) -> Path:
    """`sum = x + w` with w (4,) in another file of the model; only the model is written."""
    weight = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", "16")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    nodes = [helper.make_node("Add", ["x", "w"], ["sum"], name="add")]
    path = folder / "model.onnx"
    path.write_bytes(proto(nodes, [info("x", [1, 4])], [info("sum", [1, 4])], [weight]).SerializeToString())
    return path
