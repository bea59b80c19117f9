"""A model's inputs and outputs: types, dimensions, how dynamic ones are fixed, and values that fit.

dims   a tensor's dimensions: a number, a name ("batch", "seq") or None where the model says neither; None for all
       of them where it does not even say how many there are
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from profilers.errors import BadInput, shown

if TYPE_CHECKING:
    import onnx

Dims = tuple[int | str | None, ...]
Shape = tuple[int, ...]
MOST_VALUES = 2**31 - 1  # in an input
SIDE, LENGTH = 224, 128  # of an image and of a sequence, in the options that messages propose


class Port(NamedTuple):
    """An input or output; `dtype` as numpy names it."""

    name: str
    dtype: str
    dims: Dims | None

    @property
    def shape(self) -> Shape:
        """The dimensions where all are numbers; BadInput where one is dynamic."""
        fixed = tuple(d for d in self.dims or () if isinstance(d, int))
        if self.dims is None or len(fixed) < len(self.dims):
            raise BadInput(f"tensor {shown(self.name)} has dynamic dimensions", "fixed ones", proposal(self))
        return fixed

    @property
    def static(self) -> bool:
        """Whether all dimensions are numbers."""
        return self.dims is not None and all(isinstance(d, int) for d in self.dims)

    @property
    def text(self) -> str:
        """As in `batch x 3 x 224 x 224 float32`."""
        sizes = "?" if self.dims is None else " x ".join("?" if d is None else str(d) for d in self.dims)
        return f"{sizes or 'scalar'} {self.dtype}"


def ports(values: Iterable[onnx.ValueInfoProto]) -> dict[str, Port]:
    """By name; BadInput for what is no tensor of numbers."""
    return {value.name: _port(value) for value in values}


def _port(value: onnx.ValueInfoProto) -> Port:
    import onnx

    kind, tensor = value.type.WhichOneof("value"), value.type.tensor_type
    if kind != "tensor_type" or tensor.elem_type in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        what = "text" if tensor.elem_type == onnx.TensorProto.STRING else f"of {kind or 'no type'}"
        raise BadInput(f"{shown(value.name)} of the model is {what}", "tensors of numbers")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    dims = tuple(map(_dim, tensor.shape.dim)) if tensor.HasField("shape") else None
    return Port(value.name, dtype, dims)


def _dim(dim: Any) -> int | str | None:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return int(dim.dim_value)
    return str(dim.dim_param) or None


def set_shape(value: onnx.ValueInfoProto, shape: Shape) -> None:
    """Write a fixed shape."""
    dims = value.type.tensor_type.shape
    dims.Clear()
    value.type.tensor_type.shape.SetInParent()
    for size in shape:
        dims.dim.add().dim_value = size


def fix(
    inputs: Mapping[str, Port], shapes: Mapping[str, Shape], batch: int | None
) -> tuple[dict[str, Shape], dict[str, int]]:
    """Shapes by input and sizes by name of a dimension; a named one that is given once is the same everywhere.

    Args:
        inputs: with dynamic dimensions.
        shapes: as they were given, by input.
        batch: what a first dimension becomes that nothing else fixes, by default 1.

    Raises:
        BadInput: a shape that contradicts the model or another one, or a dimension that is left dynamic.
    """
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        _check_fits(inputs[name], shape)
        for dim, size in zip(inputs[name].dims or (), shape, strict=False):
            if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                raise BadInput(
                    f"dimension {shown(dim)} is {sizes[dim]} in one --shape and {size} in another", "one size"
                )
    inner = {dim for port in inputs.values() for dim in (port.dims or ())[1:]}
    for port in inputs.values():
        if port.dims and isinstance(first := port.dims[0], str) and first not in inner and port.name not in shapes:
            sizes.setdefault(first, batch or 1)
    fixed = {name: shapes.get(name) or _fixed(port, sizes, batch) for name, port in inputs.items()}
    if left := [inputs[name] for name, shape in fixed.items() if shape is None]:
        got = ", ".join(f"input {shown(port.name)} is {port.text}" for port in left)
        options = " ".join(proposal(port, sizes, batch) for port in left)
        raise BadInput(f"{got}: dynamic dimensions beyond the batch", "fixed ones", f"{options}, with your sizes")
    return {name: shape for name, shape in fixed.items() if shape is not None}, sizes


def _check_fits(port: Port, shape: Shape) -> None:
    given = "x".join(map(str, shape)) or "a scalar"
    if not all(0 < size <= MOST_VALUES for size in shape) or prod(shape) > MOST_VALUES:
        raise BadInput(
            f"a shape of {given} for input {shown(port.name)}", f"sizes from 1, {MOST_VALUES} values at most"
        )
    if port.dims is None:
        return
    pairs = zip(port.dims, shape, strict=False)
    if len(port.dims) != len(shape) or any(isinstance(dim, int) and dim != size for dim, size in pairs):
        raise BadInput(f"a shape of {given} for input {shown(port.name)}", port.text, proposal(port))


def _fixed(port: Port, sizes: Mapping[str, int], batch: int | None) -> Shape | None:
    """The shape as far as the model, the sizes and the batch say it; None where something is left."""
    if port.dims is None:
        return None
    first = (batch or 1,) if port.dims and port.dims[0] is None else ()
    rest = (dim if isinstance(dim, int) else sizes.get(str(dim)) for dim in port.dims[len(first) :])
    shape = (*first, *rest)
    return tuple(size for size in shape if size is not None) if None not in shape else None


def proposal(port: Port, sizes: Mapping[str, int] | None = None, batch: int | None = None) -> str:
    """The option that fixes the input's shape, with usual sizes."""
    dims = port.dims if port.dims is not None else (None, 3, None, None)
    usual = SIDE if len(dims) == 4 and port.dtype.startswith("float") else LENGTH
    known = sizes or {}
    guesses = [usual] if len(dims) == 1 else [batch or 1, *[usual] * (len(dims) - 1)]
    shape = (d if isinstance(d, int) else known.get(str(d), guess) for d, guess in zip(dims, guesses, strict=False))
    return f"--shape {port.name}={'x'.join(map(str, shape))}"


def values(port: Port, rows: int, rng: np.random.Generator) -> NDArray[Any]:
    """Normal noise in a float input, 0 to rows - 1 in one of integers; BadInput for other types."""
    shape = port.shape
    if prod(shape) > MOST_VALUES:
        raise BadInput(f"input {shown(port.name)} of {prod(shape)} values", f"{MOST_VALUES} at most")
    kind = np.dtype(port.dtype)
    if kind.kind in "biu":
        return rng.integers(0, 2 if kind.kind == "b" else rows, shape).astype(kind)
    if kind.kind == "f" or port.dtype == "bfloat16":
        return rng.standard_normal(shape, np.float32).astype(kind)
    raise BadInput(f"input {shown(port.name)} of type {port.dtype}", "floats, integers or bool")
