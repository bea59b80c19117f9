"""Which ONNX nodes an engine's layers stand for, and how a fused layer's time is divided among them.

The rule. A layer's time belongs to the ONNX nodes that its metadata names, to each in proportion to its multiply-adds
(one per output element if it is no convolution or matrix product). A layer that names none of the model's nodes (a
reformat, the cast to half precision) is attributed to the next one that does, at the end to the last. The times of a
run add up to the times that TensorRT reported.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profilers.base import NodeDetail
from profilers.onnx.madds import node_madds
from profilers.onnx.parse import name_of, parse, tensor_shapes

# TensorRT's ONNX parser writes [ONNX Layer: name | function …] for each node, joined by ASCII 0x1f
_NODE = re.compile(r"\[ONNX Layer: ([^|\]]*?)(?: \|[^\]]*)?\]")


def onnx_nodes(information: str) -> dict[str, tuple[str, ...]]:
    """Engine layer -> ONNX nodes, from the inspector's JSON of an engine that was built with detailed verbosity."""
    layers: list[Any] = json.loads(information).get("Layers", [])
    detailed = [layer for layer in layers if isinstance(layer, dict)]
    return {layer["Name"]: tuple(_NODE.findall(layer.get("Metadata", ""))) for layer in detailed}


def node_weights(model: bytes | Path) -> dict[str, float]:
    """ONNX node -> multiply-adds; elements of the output where there are none."""
    proto = parse(model)
    shapes = tensor_shapes(proto)
    return {
        name_of(node): float(node_madds(node, shapes) or math.prod(shapes.get(node.output[0], ())))
        for node in proto.graph.node
    }


def attribute(
    layers: Iterable[tuple[str, float]], nodes: Mapping[str, tuple[str, ...]], weights: Mapping[str, float]
) -> dict[str, float]:
    """Milliseconds by ONNX node from one run's times by engine layer, in order of execution (see the rule above)."""
    times: dict[str, float] = {}
    pending, last = 0.0, ""
    for layer, ms in layers:
        named = [node for node in nodes.get(layer, ()) if node in weights]
        pending += ms
        if not named:
            continue
        total = sum(weights[node] for node in named)
        for node in named:
            times[node] = times.get(node, 0.0) + pending * weights[node] / total
        pending, last = 0.0, named[-1]
    if last:
        times[last] += pending
    return times


def details(nodes: Mapping[str, tuple[str, ...]]) -> dict[str, NodeDetail]:
    """By ONNX node, what `nodes` (see `onnx_nodes`) says of its layer; the layer's name is the operator."""
    return {node: NodeDetail(layer, named) for layer, named in nodes.items() for node in named}
