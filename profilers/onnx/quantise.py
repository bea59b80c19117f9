"""Static int8 quantisation of ONNX networks: QuantizeLinear and DequantizeLinear nodes (QDQ), weights per channel.

    T  a tensor of activations      low, high  its range over the calibration images      q = T / scale + zero point

Every convolution, Gemm, addition, multiplication and pooling has a QDQ pair at each of its inputs and at its output,
the pattern that runtimes replace by an integer kernel; a ReLU after a convolution stays inside its pair. Other
operators, and the output of the last Gemm, stay float32. New nodes and tensors begin with the name of the node whose
output they quantise (of the one that reads it, for the model's input), so that per-node times stay attributable.

By hand because onnxruntime.quantization takes about a second per network and a latency table has 250; it is the oracle
of the tests.
Source: Jacob et al. 2018; ONNX Runtime, "Quantize ONNX models" (U8S8, reduce_range).
"""

from __future__ import annotations

import math
import platform
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from profilers.base import Array, Profiler
from profilers.errors import BadInput
from profilers.onnx.parse import name_of, parse
from profilers.onnx.ports import dtype_of, inputs_of
from profilers.timing.place import Cpu

if TYPE_CHECKING:
    import onnx

WEIGHTED = ("Conv", "Gemm")
QUANTISED = (*WEIGHTED, "Add", "Mul", "GlobalAveragePool", "AveragePool", "MaxPool")
INSIDE = ("Relu", "Clip")  # after a convolution: the zero point does their work
COMPUTE_SHAPES = ("Cast", "Constant", "ConstantOfShape", "Shape")  # without them, all activations are float32
UNKNOWN_RANGE = (-3.0, 3.0)  # where only latency matters: the time of integer kernels does not depend on the scale
PERCENTILE = 99.99  # of a batch's values; a range with the few beyond would be too coarse for all others
LEAST_SCALE = 1e-8

Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class QuantConfig:
    """How numbers are encoded.

    symmetric     activations as int8 around zero and float biases, for TensorRT; else uint8 with a zero point and int32
                  biases
    reduce_range  weights of 7 bits, for CPUs whose 16-bit sums would overflow
    """

    symmetric: bool = False
    reduce_range: bool = False

    @classmethod
    def for_this_cpu(cls) -> QuantConfig:
        """The configuration that this machine's CPU needs."""
        return cls(reduce_range=needs_reduced_range())

    @classmethod
    def for_runtime(cls, profiler: Profiler) -> QuantConfig:
        """The configuration that a runtime needs on the machine where it is."""
        if profiler.device == "cuda":
            return cls(symmetric=True)
        return cls.for_this_cpu() if profiler.place is None else cls(reduce_range=saturates(profiler.place.cpu()))


def quantise(model: bytes, images: Iterable[Array], config: QuantConfig | None = None) -> bytes:
    """Quantise a float32 network with ranges from calibration images.

    Args:
        model: ONNX, one input and one output, weights inside.
        images: batches as the model takes them, normalised; a few hundred images are enough.
        config: by default that of this machine's CPU.

    Raises:
        BadInput: a model that cannot be read or run, no image, or one that is quantised already.
    """
    return insert_qdq(model, calibrate(model, images), config)


def calibrate(model: bytes, images: Iterable[Array]) -> Ranges:
    """The range of every activation by tensor: the widest of the batches' low and high percentiles.

    Raises:
        BadInput: as `quantise`.
    """
    import onnxruntime as ort

    proto = _float_network(model)
    names = [proto.graph.input[0].name, *(name for node in proto.graph.node for name in node.output)]
    known = {tensor.name for tensor in proto.graph.output}
    proto.graph.output.extend(type(proto.graph.output[0])(name=n) for n in names[1:] if n not in known)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = [_batch_ranges(names, [batch, *session.run(names[1:], {names[0]: batch})]) for batch in images]
    except Exception as error:  # ORT's exceptions have no common base
        raise BadInput(f"the model cannot be calibrated: {error}", "images as the model takes them") from error
    if not found:
        raise BadInput("no calibration image", "one or more")
    lows, highs = np.min(found, axis=0)[:, 0].tolist(), np.max(found, axis=0)[:, 1].tolist()
    return {name: (low, high) for name, low, high in zip(names, lows, highs, strict=True)}


def insert_qdq(
    model: bytes, ranges: Ranges | None = None, config: QuantConfig | None = None, keep: Collection[str] = ()
) -> bytes:
    """Quantise with known ranges; without them, with made-up ones, which serve to measure latency and nothing else.

    Nodes named in `keep` stay float32.

    Raises:
        BadInput: a model that cannot be read, that is quantised already, or a tensor without a range.
    """
    proto = _float_network(model)
    _Quantiser(proto, ranges, config or QuantConfig.for_this_cpu(), keep).run()
    data: bytes = proto.SerializeToString()
    return data


@cache
def needs_reduced_range() -> bool:
    """Whether this CPU sums products of uint8 and int8 in 16 bits, saturating: x86 without VNNI or AMX."""
    from profilers.timing.fingerprint import cpu_flags

    return saturates(Cpu(platform.machine(), cpu_flags()))


def saturates(cpu: Cpu) -> bool:
    """Whether a CPU does so."""
    exact = any("vnni" in flag or "amx" in flag for flag in cpu.flags)
    return cpu.machine.lower() in ("x86_64", "amd64", "i686") and not exact


class _Quantiser:
    """One graph being rewritten; `pairs` maps a tensor to the one that its readers take instead."""

    def __init__(
        self, proto: onnx.ModelProto, ranges: Ranges | None, config: QuantConfig, keep: Collection[str] = ()
    ) -> None:
        self.graph, self.ranges, self.config, self.keep = proto.graph, ranges, config, frozenset(keep)
        self.weights = {tensor.name: tensor for tensor in proto.graph.initializer}
        self.makers = {name: node for node in proto.graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in proto.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {tensor.name for tensor in proto.graph.output}
        self.others = _not_float(proto)
        self.scales: dict[str, float] = {}
        self.pairs: dict[str, str] = {}
        self.nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        wanted = self.tensors()
        if self.graph.input[0].name in wanted:
            self.pair(self.graph.input[0].name)
        for node in list(self.graph.node):
            if node.op_type in WEIGHTED and node.name not in self.keep:
                self.parameters(node)
            if node.name not in self.keep:
                node.input[:] = [self.pairs.get(name, name) for name in node.input]
            self.nodes.append(node)
            for name in set(node.output) & wanted:
                self.pair(name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        kept = [tensor for tensor in self.weights.values() if tensor.name in used]
        del self.graph.initializer[:], self.graph.value_info[:]
        self.graph.initializer.extend(kept)

    def tensors(self) -> set[str]:
        """The activations that are quantised."""
        found: set[str] = set()
        for node in self.graph.node:
            if node.op_type not in QUANTISED or node.name in self.keep:
                continue
            found |= {name for name in node.input if name not in self.weights and name}
            output = self.behind(node)
            if not (node.op_type == "Gemm" and output in self.outputs):
                found.add(output)
        return found - self.others

    def behind(self, node: onnx.NodeProto) -> str:
        """The output of the node, or of the activation that is computed inside it."""
        readers = self.readers.get(node.output[0], [])
        if node.op_type == "Conv" and len(readers) == 1 and readers[0].op_type in INSIDE:
            return str(readers[0].output[0])
        return str(node.output[0])

    def pair(self, tensor: str) -> None:
        """Add the nodes that quantise and dequantise a tensor."""
        owner = self.makers[tensor] if tensor in self.makers else self.readers[tensor][0]
        place = list(owner.output).index(tensor) if tensor in self.makers else 0
        stem = f"{name_of(owner)}_{'output' if tensor in self.makers else 'input'}{place or ''}"
        scale, zero = self.coding(tensor)
        self.scales[tensor] = scale
        self.add(f"{stem}_scale", np.array(scale, np.float32))
        self.add(f"{stem}_zero", zero)
        source, back = tensor, f"{stem}_dequantized"
        if tensor in self.outputs:  # the model's output keeps its name
            source, back = f"{stem}_float", tensor
            owner.output[:] = [source if name == tensor else name for name in owner.output]
        coding = [f"{stem}_scale", f"{stem}_zero"]
        self.node("QuantizeLinear", [source, *coding], f"{stem}_quantized")
        self.node("DequantizeLinear", [f"{stem}_quantized", *coding], back)
        self.pairs[tensor] = back

    def coding(self, tensor: str) -> tuple[float, np.ndarray[Any, Any]]:
        """Scale and zero point; the range includes 0, which padding must represent exactly."""
        if self.ranges is not None and tensor not in self.ranges:
            raise BadInput(f"no range of tensor {tensor}", "ranges of the same model")
        low, high = UNKNOWN_RANGE if self.ranges is None else self.ranges[tensor]
        if self.ranges is None and tensor in self.makers and self.makers[tensor].op_type in INSIDE:
            low = 0.0
        low, high = min(low, 0.0), max(high, 0.0)
        if self.config.symmetric:
            return max(max(-low, high) / 127, LEAST_SCALE), np.array(0, np.int8)
        scale = max((high - low) / 255, LEAST_SCALE)
        return scale, np.array(min(round(-low / scale), 255), np.uint8)

    def parameters(self, node: onnx.NodeProto) -> None:
        """Weights as int8 with a scale a channel, the bias as int32 in the unit of the products."""
        stem = name_of(node)
        if node.input[1] not in self.weights:
            raise BadInput(f"{node.op_type} {stem} with a computed weight", "weights inside the model")
        weight = self.values(node.input[1])
        axis = 0 if node.op_type == "Conv" or _attribute(node, "transB", 0) else 1
        peak = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis))
        largest = 64 if self.config.reduce_range else 127
        scale = np.maximum(peak / largest, LEAST_SCALE).astype(np.float32)
        codes = np.rint(weight / scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])).astype(np.int8)
        node.input[1] = self.constant(f"{stem}_weight", codes, scale, axis)
        if len(node.input) > 2 and node.input[2] in self.weights and not self.config.symmetric:
            unit = (self.scales[node.input[0]] * scale).astype(np.float32)
            node.input[2] = self.constant(f"{stem}_bias", _whole(self.values(node.input[2]) / unit), unit, 0)

    def constant(self, stem: str, codes: np.ndarray[Any, Any], scale: Array, axis: int) -> str:
        """Store integers and add the node that dequantises them."""
        self.add(f"{stem}_quantized", codes)
        self.add(f"{stem}_scale", scale)
        self.add(f"{stem}_zero", np.zeros(scale.shape, codes.dtype))
        inputs = [f"{stem}_quantized", f"{stem}_scale", f"{stem}_zero"]
        return self.node("DequantizeLinear", inputs, f"{stem}_dequantized", axis=axis)

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        name = output if operator == "QuantizeLinear" else f"{inputs[0].removesuffix('_quantized')}_dequantized"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def values(self, name: str) -> Array:
        from onnx import numpy_helper

        values: Array = numpy_helper.to_array(self.weights[name])
        return values

    def add(self, name: str, values: np.ndarray[Any, Any]) -> None:
        from onnx import numpy_helper

        self.weights[name] = numpy_helper.from_array(values, name)


def _float_network(model: bytes) -> onnx.ModelProto:
    """The parsed model; BadInput unless it is a network that is not quantised yet."""
    proto = parse(model)
    operators = {node.op_type for node in proto.graph.node}
    if not proto.graph.input or not proto.graph.output or not operators:
        raise BadInput("a model without input, output or nodes", "an ONNX network")
    if len(entries := inputs_of(proto.graph)) != 1 or dtype_of(entries[0]) != "float32":
        said = ", ".join(f"{t.name} ({dtype_of(t)})" for t in entries)
        raise BadInput(f"int8 of a model with inputs {said}", "one float32 input", "--precision fp32")
    if operators & {"QuantizeLinear", "DequantizeLinear"}:
        raise BadInput("a model that is quantised already", "a float32 model")
    return proto


def _not_float(proto: onnx.ModelProto) -> set[str]:
    """Tensors of another type than float32, such as shapes that a transformer computes with; none in plain networks."""
    import onnx

    if not {node.op_type for node in proto.graph.node} & {*COMPUTE_SHAPES}:
        return set()
    graph = onnx.shape_inference.infer_shapes(proto).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    return {name for name, kind in kinds.items() if kind not in (0, onnx.TensorProto.FLOAT)}


def _batch_ranges(names: list[str], tensors: list[Array]) -> list[tuple[float, float]]:
    found = []
    for name, values in zip(names, tensors, strict=True):
        low, high = np.percentile(values, [100 - PERCENTILE, PERCENTILE])
        if not (math.isfinite(low) and math.isfinite(high)):
            raise BadInput(f"tensor {name} is not finite on the calibration images", "a network that computes")
        found.append((float(low), float(high)))
    return found


def _whole(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    codes: np.ndarray[Any, Any] = np.clip(np.rint(values.astype(np.float64)), -(2**31), 2**31 - 1).astype(np.int32)
    return codes


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), default)
