"""Small changes to finished ONNX models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from profilers.errors import BadInput
from profilers.onnx.parse import parse

if TYPE_CHECKING:
    import onnx

PRODUCER = "hwnas"  # of what `hwnas.onnx.writer` writes


def with_batch(model: bytes, batch: int | None) -> bytes:
    """The same network for another batch.

    Args:
        model: one that `hwnas.onnx.writer` wrote, quantised or not: no node of it holds the batch as a constant.
        batch: images a run; None for a dynamic one.

    Raises:
        BadInput: a batch below 1, or no ONNX model.
    """
    if batch is not None and batch < 1:
        raise BadInput(f"batch {batch}", "1 or more")
    proto = parse(model)
    for tensor in (*proto.graph.input, *proto.graph.output):
        first = tensor.type.tensor_type.shape.dim[0]
        if batch is None:
            first.dim_param = "batch"
        else:
            first.dim_value = batch
    del proto.graph.value_info[:]  # shapes of the other batch, where a tool left them
    return bytes(proto.SerializeToString())


def without_copies(proto: onnx.ModelProto) -> None:
    """Remove Identity nodes of weights, in place: torch's exporter makes one for each tensor that equals another.

    Quantising needs weights that are weights. A model with subgraphs, which may read such a copy, is left as it is.
    """
    graph = proto.graph
    if any(a.HasField("g") or a.graphs for node in graph.node for a in node.attribute):
        return
    kept = {t.name for t in graph.initializer}
    outputs = {value.name for value in graph.output}
    copies = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Identity" and n.input[0] in kept}
    copies = {name: source for name, source in copies.items() if name not in outputs}
    nodes = [node for node in graph.node if node.output[0] not in copies]
    for node in nodes:
        node.input[:] = [copies.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)


def is_ours(model: bytes) -> bool:
    """Whether `hwnas.onnx.writer` wrote it, so that `with_batch` can change it."""
    return parse(model).producer_name == PRODUCER
