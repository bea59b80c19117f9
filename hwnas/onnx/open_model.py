"""The one door for models that are not of a search space: ONNX files, bytes, torch modules, a user's own code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.errors import BadInput, FileProblem, shown
from profilers.onnx.model import OnnxModel, read_model
from profilers.onnx.parse import parse
from profilers.plugins import PREFIX, load_object
from profilers.prints import to_stderr
from profilers.reasons import foreign

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class OpenedModel:
    """A model that can be measured and built: static, with its weights inside.

    `module` is the torch module that it was exported from (a copy in evaluation mode), `parity` how far the export is
    from it on noise: the largest difference by the largest value of that output. Both are None for what was ONNX.
    `untrained`: a torch module whose BatchNorm had never seen data.
    """

    model: OnnxModel
    name: str
    about: str
    module: nn.Module | None = field(default=None, repr=False)
    parity: float | None = None
    untrained: bool = False


def open_model(
    source: str | Path | bytes | nn.Module,
    shapes: Shapes | None = None,
    batch: int | None = None,
    *,
    inputs: Any = None,
    folder: Path | None = None,
) -> OpenedModel:
    """Open any model.

    Args:
        source: an ONNX file or what one holds; a torch module; "python:module:NAME", a torch module or a callable that
            gives one, or a pair of one and its example inputs.
        shapes: of inputs by name, where the model leaves them open; "" is the only input.
        batch: what a dynamic first dimension becomes, by default 1.
        inputs: example inputs of a torch module, instead of shapes: a tensor, a sequence, or a mapping.
        folder: what a relative "python:" is relative to.

    Raises:
        BadInput: no such model, dimensions that are left open (the message has the option that closes them), an export
            that is not what torch computes.
        FileProblem: a file that cannot be read.
    """
    if isinstance(source, str) and source.startswith(PREFIX):
        return _from_python(source.removeprefix(PREFIX), folder, shapes, batch, inputs)
    if not isinstance(source, str | Path | bytes):
        return _from_torch(source, type(source).__name__, shapes, batch, inputs)
    if inputs is not None:
        raise BadInput("example inputs for an ONNX model", "shapes of its inputs")
    model = read_model(source if isinstance(source, bytes) else _path(source)).pinned(shapes, batch)
    name = "model" if isinstance(source, bytes) else Path(source).stem
    return OpenedModel(model, name, _about(model))


def parse_shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Of options such as `image=1x3x224x224`, or `1x3x224x224` for the only input.

    Raises:
        BadInput: another form, or an input that is named twice.
    """
    found: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        parts = sizes.replace(",", "x").lower().split("x")
        if not all(part.isascii() and part.isdigit() and len(part) < 11 for part in parts):
            raise BadInput(f"--shape {shown(text)}", "NAME=1x3x224x224, or 1x3x224x224 for the only input")
        if name in found:
            raise BadInput(f"--shape {shown(text)}, the second for that input", "one for each input")
        found[name] = tuple(map(int, parts))
    return found


def _path(source: str | Path) -> Path:
    path = Path(source)
    if not path.exists() and isinstance(source, str) and ":" in source:
        raise FileProblem(f"cannot read {path}: no such file", remedy=f"{PREFIX}{source}, if it is Python code")
    return path


def _about(model: OnnxModel) -> str:
    proto = parse(model.data)
    opset = next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), 0)
    by = f", by {proto.producer_name} {proto.producer_version}".rstrip() if proto.producer_name else ""
    return f"ONNX, opset {opset}, {len(proto.graph.node)} nodes{by}"


def _from_python(where: str, folder: Path | None, shapes: Shapes | None, batch: int | None, inputs: Any) -> OpenedModel:
    import torch

    found = load_object(where, folder)
    if not isinstance(found, torch.nn.Module) and callable(found):
        with foreign(lambda said: BadInput(f"{PREFIX}{where} raised {said}", "a torch module")), to_stderr():
            found = found()
    if isinstance(found, tuple) and len(found) == 2:
        found, inputs = found
    if not isinstance(found, torch.nn.Module):
        raise BadInput(
            f"{PREFIX}{where} gives a {type(found).__name__}", "a torch module, or one and its example inputs"
        )
    return _from_torch(found, where.rpartition(":")[2], shapes, batch, inputs)


def _from_torch(module: nn.Module, name: str, shapes: Shapes | None, batch: int | None, inputs: Any) -> OpenedModel:
    import torch

    from hwnas.onnx import torch_inputs, torch_model

    if not isinstance(module, torch.nn.Module):
        raise BadInput(
            f"a model of type {type(module).__name__}", "a path, bytes, a torch module or python:module:NAME"
        )
    examples = torch_inputs.example_inputs(module, shapes, batch, inputs)
    copied, fresh = torch_model.prepared(module, examples)
    model = torch_model.export(copied, examples)
    parity = torch_model.difference(copied, model)
    noise = "; untrained: BatchNorm's statistics are taken from noise" if fresh else ""
    about = f"torch {type(module).__name__} as {_about(model)}, outputs within {parity:.1g} of torch's{noise}"
    return OpenedModel(model, name, about, copied, parity, fresh)
