"""ONNX models from bytes or a file, and what their graphs say: names of nodes, shapes of tensors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from profilers.errors import BadInput
from profilers.files import read_bytes

if TYPE_CHECKING:
    import onnx

Shapes = dict[str, tuple[int, ...]]


def parse(model: bytes | Path, what: str = "the model", *, check: bool = False) -> onnx.ModelProto:
    """The model's protobuf; with `check`, one that follows ONNX's rules; `what` names it in errors.

    Raises:
        BadInput: no ONNX model.
        FileProblem: the file cannot be read.
    """
    import onnx

    data = read_bytes(model) if isinstance(model, Path) else model
    try:
        proto = onnx.load_model_from_string(data)
        if check:
            onnx.checker.check_model(proto)
    except Exception as error:  # protobuf's and onnx's have no common base
        raise BadInput(f"{what} cannot be read as ONNX: {error}", "an ONNX model") from error
    return proto


def name_of(node: onnx.NodeProto) -> str:
    """The node's name; nameless ones are called after their output."""
    return str(node.name or node.output[0])


def tensor_shapes(proto: onnx.ModelProto, *, strict: bool = False) -> Shapes:
    """Shapes by tensor, as far as the model or shape inference gives them; an unknown dimension counts as 1.

    Raises:
        BadInput: with `strict`, a shape that cannot be inferred, or two that contradict each other.
    """
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(proto, strict_mode=strict).graph
    except Exception as error:  # as above
        raise BadInput(f"the model cannot be read: {error}", "an ONNX model") from error
    shapes = {t.name: tuple(t.dims) for t in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shapes[value.name] = tuple(d.dim_value or 1 for d in value.type.tensor_type.shape.dim)
    return shapes
