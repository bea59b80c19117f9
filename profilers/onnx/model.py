"""Any ONNX model, with its weights inside: what it takes and gives, and how its dynamic dimensions are fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from profilers.errors import BadInput, nearest, shown
from profilers.files import read_bytes
from profilers.onnx.dimensions import Port, Shape, fix, ports, set_shape, values
from profilers.onnx.external import check_size, take_in
from profilers.onnx.parse import parse

if TYPE_CHECKING:
    import onnx

FEW = 2  # integers where nothing says how many are valid: zeros and ones fit tokens, masks and types of segments


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX model that is whole: nothing of it lies in other files. Inputs and outputs are by name, in order."""

    data: bytes = field(repr=False)
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]

    @classmethod
    def of(cls, proto: onnx.ModelProto) -> OnnxModel:
        """From protobuf's object; BadInput for inputs or outputs that are no tensors of numbers."""
        weights = {tensor.name for tensor in proto.graph.initializer}  # older models list them among the inputs
        inputs = ports(value for value in proto.graph.input if value.name not in weights)
        return cls(proto.SerializeToString(), inputs, ports(proto.graph.output))

    @cached_property
    def batch(self) -> int:
        """The first dimension of the first input that has one; 1 where there is none, or where it is dynamic."""
        first = next((port.dims[0] for port in self.inputs.values() if port.dims), 1)
        return first if isinstance(first, int) else 1

    def pinned(self, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = None) -> OnnxModel:
        """The same model with every input of a fixed shape, and outputs as far as they follow from these.

        Args:
            shapes: by input; "" is the only input. A named dimension that is given once is the same everywhere.
            batch: what a dynamic first dimension becomes, by default 1; a static model must have it already.

        Raises:
            BadInput: an unknown input, a shape that contradicts the model, or a dimension that is left dynamic; the
                message has the `--shape` that mends it.
        """
        wanted = self._wanted(shapes or {})
        fixed, sizes = fix(self.inputs, wanted, batch)
        static = all(port.static for port in (*self.inputs.values(), *self.outputs.values()))
        model = self if static else self._with_inputs(fixed, sizes)
        if batch is not None and batch != model.batch:
            given = " with that --shape" if wanted else ""
            raise BadInput(f"batch {batch} for a model of batch {model.batch}{given}", str(model.batch))
        return model

    def noise(self, seed: int = 0) -> dict[str, NDArray[Any]]:
        """Values for every input of a pinned model: normal noise, or valid small integers.

        Raises:
            BadInput: a dynamic dimension, an input too large for any memory, or of a type without numbers.
        """
        rng = np.random.default_rng(seed)
        rows = self._rows()
        return {name: values(port, rows.get(name, FEW), rng) for name, port in self.inputs.items()}

    def _wanted(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
        names = list(self.inputs)
        found: dict[str, Shape] = {}
        for given, dims in shapes.items():
            name = names[0] if not given and len(names) == 1 else given
            if name not in self.inputs:
                got = f"a shape for input {shown(name)}, which the model lacks" if name else "a shape without its input"
                raise BadInput(got, ", ".join(f"--shape {n}=…" for n in names), nearest(name, names))
            found[name] = tuple(dims)
        return found

    def _with_inputs(self, shapes: Mapping[str, Shape], sizes: Mapping[str, int]) -> OnnxModel:
        proto = parse(self.data)
        del proto.graph.value_info[:]  # shapes that follow from those of other inputs
        for value in proto.graph.input:
            if value.name in shapes:
                set_shape(value, shapes[value.name])
        for value in proto.graph.output:
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param in sizes:
                    dim.dim_value = sizes[dim.dim_param]
        _infer_outputs(proto)
        return OnnxModel.of(proto)

    def _rows(self) -> dict[str, int]:
        """How many rows the tables have that integer inputs look up: their vocabulary."""
        if all(port.dtype.startswith("float") for port in self.inputs.values()):
            return {}
        graph = parse(self.data).graph
        sizes = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
        rows: dict[str, int] = {}
        for node in graph.node:
            if node.op_type == "Gather" and sizes.get(node.input[0]) and not any(a.i for a in node.attribute):
                index = node.input[1]
                rows[index] = min(sizes[node.input[0]], rows.get(index, sizes[node.input[0]]))
        return rows


def read_model(source: Path | bytes, folder: Path | None = None) -> OnnxModel:
    """An ONNX model with its weights taken in.

    Args:
        source: a file, or what one holds.
        folder: where the weights' files of a model of bytes lie; by default nowhere.

    Raises:
        BadInput: no ONNX model, one of more than 2 GB, weights outside of its folder, or inputs that are no tensors.
        FileProblem: a file that cannot be read.
    """
    if isinstance(source, bytes):
        what, data = "the model", source
    else:
        what, data, folder = str(source), _file(source), source.parent
    check_size(len(data), what)
    proto = parse(data, what)
    take_in(proto, folder, what)
    model = OnnxModel.of(proto)
    _check(proto, what)
    return model


def _check(proto: onnx.ModelProto, what: str) -> None:
    """BadInput unless the model follows ONNX's rules, but for shapes of its ends, which runtimes do not need."""
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.SetInParent()
    parse(proto.SerializeToString(), what, check=True)


def _file(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is not a file", "an ONNX model's file")
    if path.exists():
        check_size(path.stat().st_size, str(path))
    return read_bytes(path)


def _infer_outputs(proto: onnx.ModelProto) -> None:
    """Write the outputs' shapes where they follow from the inputs'; others stay as they are."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph.output
    except Exception:  # what cannot be inferred stays dynamic; protobuf's and onnx's errors have no common base
        return
    for value, found in zip(proto.graph.output, inferred, strict=True):
        value.CopyFrom(found)
