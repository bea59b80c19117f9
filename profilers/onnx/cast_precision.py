"""ONNX models for strongly typed builders: static batch, and weights in the precision to compute in.

TensorRT 11 and TensorRT-RTX take every type from the model, and TensorRT 10 can, so a half-precision engine starts
from a half-precision model. Its input and output stay float32, with a Cast after the one and before the other.
By hand because onnxconverter-common casts to fp16 only, and bf16 needs the same rewriting.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from profilers.base import Array, Tensor
from profilers.errors import BadInput
from profilers.onnx.parse import name_of, parse
from profilers.onnx.ports import inputs_of, set_batch

if TYPE_CHECKING:
    import onnx

# Operators whose float tensors may all be cast. Others have inputs that must stay float32 (Resize's scales) or lose
# too much in half precision (Softmax over long rows, Exp, …), so they are refused.
CASTABLE = {
    "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Constant", "Conv", "Flatten", "Gemm",
    "GlobalAveragePool", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "MatMul", "MaxPool", "Mul", "Pad",
    "ReduceMean", "Relu", "Reshape", "Sigmoid", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze",
}  # fmt: skip
OPSET_OF_BF16 = 22  # from here on Conv, pooling and HardSigmoid take bfloat16 …
SAME_AS_22 = 18  # … and since here the operators above have not changed otherwise
LARGEST_HALF = 65504.0


@dataclass(frozen=True)
class Prepared:
    """A model as the builder takes it. Shapes are static; inputs and outputs have the types that they had."""

    data: bytes
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def prepare(model: bytes | Path, precision: str, batch: int) -> Prepared:
    """Set the batch, and cast the weights for "fp16" and "bf16".

    Args:
        model: ONNX, bytes or a file, float32 or quantised with QuantizeLinear and DequantizeLinear.
        precision: "fp32" and "tf32" leave the weights alone, "int8" needs a quantised model.
        batch: images a run; a model of another static batch is refused.

    Raises:
        BadInput: not such a model, or one that cannot be cast.
        FileProblem: the file cannot be read.
    """
    proto = parse(model, check=True)
    graph = proto.graph
    inputs, outputs = set_batch(proto, batch)
    del graph.value_info[:]  # shapes and types of the unchanged model
    if precision == "int8" and not any(n.op_type == "QuantizeLinear" for n in graph.node):
        raise BadInput("precision int8 for a model without QuantizeLinear nodes", "a quantised (QDQ) model")
    if precision in ("fp16", "bf16"):
        _cast_model(proto, precision)
    return Prepared(proto.SerializeToString(), inputs, outputs)


def _cast_model(proto: onnx.ModelProto, precision: str) -> None:
    import onnx

    graph = proto.graph
    wrong = sorted({n.op_type for n in graph.node} - CASTABLE)
    if wrong:
        raise BadInput(f"{precision} of a model with {', '.join(wrong)}", "convolutional networks", "--precision fp32")
    to = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.BFLOAT16
    constants = [a.t for n in graph.node if n.op_type == "Constant" for a in n.attribute if a.name == "value"]
    for tensor in (*graph.initializer, *constants):
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(_cast_tensor(tensor, to))
    _cast_ends(graph, to)
    if precision == "bf16":
        _split_hard_swish(graph)
        _raise_opset(proto)


def _raise_opset(proto: onnx.ModelProto) -> None:
    for entry in proto.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            continue
        if entry.version < SAME_AS_22:
            raise BadInput(f"bf16 of a model of opset {entry.version}", f"{SAME_AS_22} or later", "--precision fp16")
        entry.version = max(entry.version, OPSET_OF_BF16)


def _cast_tensor(tensor: onnx.TensorProto, to: int) -> onnx.TensorProto:
    import onnx
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    if to == onnx.TensorProto.FLOAT16 and values.size and np.abs(values).max() > LARGEST_HALF:
        raise BadInput(f"weight {tensor.name} of {np.abs(values).max():.3g}", f"{LARGEST_HALF:g} in fp16", "bf16")
    cast = values.astype(np.float16) if to == onnx.TensorProto.FLOAT16 else _bfloat16(values)
    return onnx.TensorProto(name=tensor.name, data_type=to, dims=tensor.dims, raw_data=cast.tobytes())


def _bfloat16(values: Array) -> NDArray[np.uint16]:
    """The upper halves of float32 values, rounded to nearest, ties to even; older onnx has no type for them."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _cast_ends(graph: onnx.GraphProto, to: int) -> None:
    """Cast after float inputs and before float outputs; the nodes in between get new names for these tensors."""
    import onnx

    single = onnx.TensorProto.FLOAT
    entries, exits = (
        [t.name for t in tensors if t.type.tensor_type.elem_type == single]
        for tensors in (inputs_of(graph), graph.output)
    )
    inside = {name: f"{name}_cast" for name in (*entries, *exits)}
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [inside.get(name, name) for name in names]
    first = [_cast(name, inside[name], f"cast_{name}", to) for name in entries]
    last = [_cast(inside[name], name, f"cast_{name}", single) for name in exits]
    nodes = [*first, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)


def _cast(source: str, target: str, name: str, to: int) -> onnx.NodeProto:
    import onnx

    return onnx.helper.make_node("Cast", [source], [target], name=name, to=to)


def _split_hard_swish(graph: onnx.GraphProto) -> None:
    """HardSwish as HardSigmoid and Mul, which is its definition: TensorRT's parser has no bfloat16 HardSwish."""
    import onnx

    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "HardSwish":
            nodes.append(node)
            continue
        name, (entry,), (exit_,) = name_of(node), node.input, node.output
        gate = f"{name}_gate"
        nodes.append(onnx.helper.make_node("HardSigmoid", [entry], [gate], name=gate, alpha=1 / 6, beta=0.5))
        nodes.append(onnx.helper.make_node("Mul", [gate, entry], [exit_], name=name))
    del graph.node[:]
    graph.node.extend(nodes)
