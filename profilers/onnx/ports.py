"""Inputs and outputs of an ONNX graph, and its batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from profilers.base import Tensor
from profilers.onnx.parse import parse
from profilers.onnx.shapes import Declared, static, static_tensor

if TYPE_CHECKING:
    import onnx


def inputs_of(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """What must be fed; older models list their weights among the inputs."""
    weights = {t.name for t in graph.initializer}
    return [t for t in graph.input if t.name not in weights]


def dtype_of(tensor: onnx.ValueInfoProto) -> str:
    """As NumPy names it; ONNX's own word where NumPy has none."""
    import onnx

    kind = tensor.type.tensor_type.elem_type
    own = onnx.TensorProto.DataType.Name(kind).lower()
    if own in ("undefined", "string"):
        return "text" if own == "string" else "no tensor"
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)).name if own != "bfloat16" else own


def set_batch(proto: onnx.ModelProto, batch: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Set dynamic first dimensions of inputs and outputs to `batch`, in place; inputs and outputs as they are then.

    Raises:
        BadInput: another dynamic dimension, another static batch, or a type that NumPy lacks.
    """
    graph = proto.graph
    inputs = static({t.name: _declared(t) for t in inputs_of(graph)}, batch)
    outputs = {t.name: static_tensor(t.name, _declared(t), batch) for t in graph.output}
    for tensor in (*inputs_of(graph), *graph.output):
        dims = tensor.type.tensor_type.shape.dim
        if dims:
            dims[0].dim_value = (inputs.get(tensor.name) or outputs[tensor.name]).shape[0]
    return inputs, outputs


def read_static(model: bytes | Path, batch: int) -> tuple[onnx.ModelProto, dict[str, Tensor], dict[str, Tensor]]:
    """The checked model with its batch set, its inputs and its outputs. Raises as `parse` and `set_batch` do."""
    proto = parse(model, check=True)
    return proto, *set_batch(proto, batch)


def _declared(tensor: onnx.ValueInfoProto) -> Declared:
    return Declared([d.dim_value or None for d in tensor.type.tensor_type.shape.dim], dtype_of(tensor))
