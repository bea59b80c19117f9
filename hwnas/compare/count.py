"""Params and multiply-adds of known networks, counted as the papers do.

params  all parameters of the torch network, layers' or plain ones (class tokens, position embeddings, layer scales);
        BatchNorm's running statistics are none. An ONNX model does not tell parameters from other constants.
madds   of convolutions, linear layers and other products of matrices, for one image, by the ONNX model
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import onnx

from profilers.errors import BadInput
from profilers.onnx.external import all_tensors
from profilers.onnx.madds import PRODUCTS, node_madds
from profilers.onnx.model import read_model
from profilers.onnx.parse import parse

if TYPE_CHECKING:
    from torch import nn


class Counts(NamedTuple):
    """Of one network, and of one image."""

    params: int
    madds: int


def count(network: nn.Module, model: bytes) -> Counts:
    """Of a torch network and its ONNX model, which is run once.

    Raises:
        BadInput: no ONNX model, or one that cannot be run.
    """
    return Counts(params(network), madds(model))


def params(network: nn.Module) -> int:
    """Values in the parameters of a torch network, each counted once."""
    return sum(parameter.numel() for parameter in network.parameters())


def constants(model: bytes) -> int:
    """Values in the constants of an ONNX model, BatchNorm's statistics among them."""
    return sum(math.prod(tensor.dims) for tensor in all_tensors(parse(model)) if tensor.dims)


def madds(model: bytes) -> int:
    """Multiply-adds of an ONNX model for one image. It is run once, because exporters compute shapes at run time.

    Raises:
        BadInput: no ONNX model, or one that cannot be run.
    """
    graph = parse(model).graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:  # torch's exporter points equal tensors to one of them
        if node.op_type == "Identity" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    batch, shapes = _shapes(model, weights)
    return sum(node_madds(node, weights | shapes) for node in graph.node) // batch


def _shapes(model: bytes, weights: Mapping[str, list[int]]) -> tuple[int, dict[str, list[int]]]:
    """The batch, and the shapes of what weighted layers read and write."""
    import onnxruntime as ort

    proto, whole = parse(model), read_model(model)
    nodes = [node for node in proto.graph.node if node.op_type in PRODUCTS]
    names = {name for node in nodes for name in (*node.input[:2], *node.output) if name and name not in weights}
    feeds = whole.pinned().noise()
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names - set(feeds)))
    options = ort.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 4, ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, feeds)
    except Exception as error:  # ORT's exceptions have no common base
        raise BadInput(f"the model cannot be run: {error}", "one that ONNX Runtime runs") from error
    shapes = {output.name: list(value.shape) for output, value in zip(session.get_outputs(), found, strict=True)}
    return whole.batch, shapes | {name: list(values.shape) for name, values in feeds.items()}
