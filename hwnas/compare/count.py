"""Params and multiply-adds of any ONNX network, counted as the papers do.

params  learnable: weights and biases of convolutions and linear layers, BatchNorm's scale and shift (its running
        statistics are not)
madds   of convolutions and linear layers, for one image
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

import numpy as np
import onnx

from hwnas.onnx_edit import parse
from profilers.errors import BadInput

WEIGHTED = ("Conv", "Gemm", "MatMul")
# Operator to the inputs that are learnable; a MatMul's second input is one if it is a constant
LEARNABLE = {"Conv": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "BatchNormalization": (1, 2), "LayerNormalization": (1, 2)}


class Counts(NamedTuple):
    """Of one network, and of one image."""

    params: int
    madds: int


def count(model: bytes) -> Counts:
    """Count a network whose BatchNorm is not folded. It is run once, because exporters compute shapes at run time.

    Raises:
        BadInput: no ONNX model, or one that cannot be run.
    """
    graph = parse(model).graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:  # torch's exporter points equal tensors to one of them
        if node.op_type == "Identity" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    batch, shapes = _shapes(model, weights)
    params = sum(_params(node, weights) for node in graph.node)
    return Counts(params, sum(_madds(node, weights | shapes) for node in graph.node) // batch)


def _shapes(model: bytes, weights: Mapping[str, list[int]]) -> tuple[int, dict[str, list[int]]]:
    """The batch, and the shapes of what weighted layers read and write."""
    import onnxruntime as ort

    proto = parse(model)
    nodes = [node for node in proto.graph.node if node.op_type in WEIGHTED]
    names = {name for node in nodes for name in (*node.input[:2], *node.output) if name and name not in weights}
    entry = proto.graph.input[0]
    shape = [d.dim_value for d in entry.type.tensor_type.shape.dim]
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names - {entry.name}))
    options = ort.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 4, ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, {entry.name: np.zeros(shape, np.float32)})
    except Exception as error:  # ORT's exceptions have no common base
        raise BadInput(f"the model cannot be run: {error}", "one float input of static shape") from error
    shapes = {output.name: list(value.shape) for output, value in zip(session.get_outputs(), found, strict=True)}
    return shape[0], shapes | {entry.name: shape}


def _params(node: onnx.NodeProto, weights: Mapping[str, list[int]]) -> int:
    names = [node.input[i] for i in LEARNABLE.get(node.op_type, ()) if i < len(node.input)]
    return sum(prod(weights[name]) for name in names if name in weights)


def _madds(node: onnx.NodeProto, shapes: Mapping[str, list[int]]) -> int:
    """Values of the output, times the products behind each."""
    if node.op_type not in WEIGHTED:
        return 0
    dims = shapes[node.input[1]]
    if node.op_type == "Conv":
        products = prod(dims[1:])
    else:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        products = dims[-1] if transposed else dims[-2]
    return prod(shapes[node.output[0]]) * products
