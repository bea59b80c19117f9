"""Layer specs to ONNX: one file, nodes and their output tensors named by layer index, BatchNorm folded.

Each operation of `LayerSpec.graph` becomes one node or a few, named by `profilers.onnx.node_names`, so that a runtime's
times of nodes can be attributed to layers. The input is "input" (N, C, H, W); the output is "logits" (N, classes), or
"output" where the layers do not end in a classifier. Operators are of opset 18. H-swish is one HardSwish node, because
runtimes do not fuse HardSigmoid and Mul.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from hwnas.onnx.edit import PRODUCER
from hwnas.space.layer import LayerSpec
from hwnas.version import __version__
from profilers.errors import BadInput
from profilers.onnx.node_names import node_name
from profilers.onnx.operations import Convolution, Linear, Pool, Skip, SqueezeExcite

OPSET = 18
IR_VERSION = 9  # readable by ONNX Runtime 1.16 and later, whatever the installed onnx would write
_ACT_PARTS = {"conv": "act", "se_reduce": "se_relu", "se_expand": "se_gate"}  # of all others, with _act behind it
Weights = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def write_onnx(
    layers: Sequence[LayerSpec],
    weights: Weights | None = None,
    *,
    batch: int | None = 1,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Serialise a network.

    Args:
        layers: the whole network, or any run of consecutive layers.
        weights: `L07_expand` -> (weight (out, in / groups, k, k), bias (out,)), BatchNorm folded; None draws random
            ones of He's variance, the same for the same name and shape.
        batch: images a run, or None for a dynamic batch.
        metadata: written into the model's metadata.

    Raises:
        BadInput: no layers, a missing weight, or one of another shape.
    """
    if not layers:
        raise BadInput("a network of no layers", "one layer or more")
    writer = _Writer(weights)
    for index, spec in enumerate(layers):
        writer.layer(index, spec)
    return writer.model(layers[0], layers[-1], batch, dict(metadata or {}))


class _Writer:
    def __init__(self, weights: Weights | None) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, NDArray[np.float32]] = {}
        self.last = "input"

    def layer(self, index: int, spec: LayerSpec) -> None:
        prefix, entry = node_name(index, ""), self.last
        for operation in spec.graph():
            match operation:
                case Linear():
                    self.linear(prefix, operation)
                case Convolution():
                    self.convolution(prefix, operation)
                case Pool():
                    self.node("GlobalAveragePool", prefix + operation.part)
                case SqueezeExcite():
                    self.squeeze_excite(prefix, operation)
                case Skip():
                    self.node("Add", prefix + operation.part, entry)

    def squeeze_excite(self, prefix: str, operation: SqueezeExcite) -> None:
        features = self.last
        self.node("GlobalAveragePool", f"{prefix}{operation.part}_pool")
        for convolution in operation.convolutions:
            self.convolution(prefix, convolution)
        self.node("Mul", f"{prefix}{operation.part}_scale", features)

    def linear(self, prefix: str, c: Linear) -> None:
        name = prefix + c.part
        self.node("Flatten", f"{prefix}flatten", axis=1)
        weight, bias = self.parameters(name, c)
        self.tensors |= {f"{name}_weight": weight.reshape(c.weight_shape[:2]), f"{name}_bias": bias}
        self.node("Gemm", name, f"{name}_weight", f"{name}_bias", transB=1)

    def convolution(self, prefix: str, c: Convolution) -> None:
        name = prefix + c.part
        weight, bias = self.parameters(name, c)
        self.tensors |= {f"{name}_weight": weight, f"{name}_bias": bias}
        shape = {
            "kernel_shape": [c.kernel] * 2,
            "strides": [c.stride] * 2,
            "pads": [c.kernel // 2] * 4,
            "group": c.groups,
        }
        self.node("Conv", name, f"{name}_weight", f"{name}_bias", **shape)
        self.activation(prefix + _ACT_PARTS.get(c.part, f"{c.part}_act"), c.act)

    def parameters(self, name: str, c: Convolution) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        shape = c.weight_shape
        if self.weights is None:
            return _random(name, shape), _random(f"{name}_bias", shape[:1])
        if name not in self.weights:
            raise BadInput(f"no weights for {name}", "weights of the same architecture")
        weight, bias = self.weights[name]
        if weight.shape != shape or bias.shape != shape[:1]:
            raise BadInput(f"weights of {name} have shape {weight.shape}", f"{shape} for this architecture")
        return weight, bias

    def activation(self, name: str, act: str) -> None:
        if act == "relu":
            self.node("Relu", name)
        elif act == "relu6":
            self.tensors |= {f"{name}_{k}": np.array(v, np.float32) for k, v in (("min", 0), ("max", 6))}
            self.node("Clip", name, f"{name}_min", f"{name}_max")
        elif act == "hswish":
            self.node("HardSwish", name)
        elif act == "hsigmoid":
            self.node("HardSigmoid", name, alpha=1 / 6, beta=0.5)

    def node(self, operator: str, name: str, *more: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, [self.last, *more], [name], name=name, **attributes))
        self.last = name

    def model(self, first: LayerSpec, last: LayerSpec, batch: int | None, metadata: dict[str, str]) -> bytes:
        output = "logits" if last.is_classifier else "output"
        self.nodes[-1].output[0] = output
        n = "batch" if batch is None else batch
        entry = [n, first.in_channels] if first.is_classifier else [n, first.in_channels, first.size, first.size]
        exit_ = [n, last.out_channels] if last.is_classifier else [n, last.out_channels, last.out, last.out]
        graph = helper.make_graph(
            self.nodes,
            "hwnas",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, entry)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, exit_)],
        )
        model = helper.make_model(
            onnx.GraphProto(),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=PRODUCER,
            producer_version=__version__,
        )
        helper.set_model_props(model, metadata)
        model.ClearField("graph")
        return _joined(model, graph, self.tensors)


def _joined(model: onnx.ModelProto, graph: onnx.GraphProto, tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The serialised model, joined by hand: protobuf's own objects would copy the weights several times.

    Source: protobuf's encoding; the fields of a message may stand in any order.
    """
    parts: list[bytes | memoryview] = [graph.SerializeToString()]
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values, np.float32).reshape(-1).data.cast("B")
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape).SerializeToString()
        tensor += _field(TensorProto.RAW_DATA_FIELD_NUMBER, len(raw))
        parts += [_field(onnx.GraphProto.INITIALIZER_FIELD_NUMBER, len(tensor) + len(raw)), tensor, raw]
    size = sum(map(len, parts))
    return b"".join([model.SerializeToString(), _field(onnx.ModelProto.GRAPH_FIELD_NUMBER, size), *parts])


def _field(number: int, size: int) -> bytes:
    """What stands before `size` bytes of that field."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    return (bytes([value & 0x7F | 0x80]) + _varint(value >> 7)) if value > 0x7F else bytes([value])


@cache
def _pool() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32)


def _random(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A piece of one pool of random numbers, because drawing millions for each network takes longer than timing it."""
    size = int(np.prod(shape))
    pool = _pool() if size < len(_pool()) else np.resize(_pool(), 2 * size)  # a classifier of many classes
    start = zlib.crc32(f"{name}{shape}".encode()) % (len(pool) - size)
    scale = 0.1 if len(shape) == 1 else np.sqrt(2 / np.prod(shape[1:]))
    return (pool[start : start + size] * np.float32(scale)).reshape(shape)
