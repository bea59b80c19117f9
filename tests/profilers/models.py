"""Small models and sessions that the tests here share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.base import Session
from profilers.runtimes.fake import FakeClock


def tiny(batch: int | None = 1, seed: int = 0) -> tuple[bytes, int]:
    """A random network of the tiny space, and its number of layers."""
    space = get_space("tiny")
    layers = space.layers(space.decode(space.sample(1, np.random.default_rng(seed)))[0])
    return write_onnx(layers, batch=batch), len(layers)


def two_inputs() -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("a", "b", "sum")]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["sum"], name="L00_add")], "g", info[:2], info[2:])
    return _model(graph)


def integer_input() -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.INT32, [1, 4]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"], name="L00_same")], "g", info[:1], info[1:])
    return _model(graph)


def text_input() -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.STRING, [1, 4]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"], name="L00_same")], "g", info[:1], info[1:])
    return _model(graph)


def tokens() -> bytes:
    """Whole numbers and a mask in, two outputs; named as torch names nodes, with a GELU and a LayerNormalization."""
    rng, node = np.random.default_rng(0), helper.make_node
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in WEIGHTS.items()}
    weights |= {"last": np.array([-1]), "middle": np.array([1]), "root": np.float32(2**0.5), "one": np.float32(1)}
    weights |= {"half": np.float32(0.5)}
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
    ends = [[helper.make_tensor_value_info(n, *t) for n, t in some.items()] for some in (inputs, outputs)]
    stored = [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()]
    return _model(helper.make_graph(nodes, "tokens", *ends, stored))


WEIGHTS = {"table": (10, 8), "scale": (8,), "bias": (8,), "weight": (8, 8)}


def dynamic_size() -> bytes:
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, "h", "w"]) for n in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"], name="L00_relu")], "g", info[:1], info[1:])
    return _model(graph)


def chain(kernel: int = 3, channels: int = 8, size: int = 12) -> bytes:
    """Two convolutions with ReLU, named like the product's graphs."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.standard_normal((channels, c, kernel, kernel)).astype(np.float32) / kernel, name)
        for name, c in (("w0", 3), ("w1", channels))
    ]
    pads = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4}
    nodes = [
        helper.make_node("Conv", ["input", "w0"], ["L00_conv"], name="L00_conv", **pads),
        helper.make_node("Relu", ["L00_conv"], ["L00_act"], name="L00_act"),
        helper.make_node("Conv", ["L00_act", "w1"], ["output"], name="L01_conv", **pads),
    ]
    shapes = {"input": [1, 3, size, size], "output": [1, channels, size, size]}
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    return _model(helper.make_graph(nodes, "chain", info[:1], info[1:], weights))


def _model(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


class Scripted(Session):
    """A session whose run number n takes `wall(n)` seconds, of which it computes `cpu(n)`; counts its runs."""

    def __init__(
        self,
        clock: FakeClock,
        wall: Callable[[int], float],
        cpu: Callable[[int], float] | None = None,
        log: list[str] | None = None,
        name: str = "",
        threads: int = 1,
    ) -> None:
        self.clock, self.wall, self.cpu = clock, wall, cpu or wall
        self.log, self.name, self.threads = log if log is not None else [], name, threads
        self.runs = 0

    def run(self) -> None:
        self.log.append(self.name)
        self.clock.advance(self.wall(self.runs), self.cpu(self.runs))
        self.runs += 1
