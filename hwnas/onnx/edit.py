"""Small changes to finished ONNX models."""

from __future__ import annotations

from profilers.errors import BadInput
from profilers.onnx.parse import parse


def with_batch(model: bytes, batch: int) -> bytes:
    """The same network for another static batch.

    Args:
        model: one that `hwnas.onnx.writer` wrote, quantised or not: no node of it holds the batch as a constant.
        batch: images a run.

    Raises:
        BadInput: a batch below 1, or no ONNX model.
    """
    if batch < 1:
        raise BadInput(f"batch {batch}", "1 or more")
    proto = parse(model)
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_value = batch
    del proto.graph.value_info[:]  # shapes of the other batch, where a tool left them
    return bytes(proto.SerializeToString())
