"""What goes into a runtime's model and comes out of it, with the batch set: names, static shapes, types.

Models of any number of inputs and outputs; what is dynamic beside the batch must be pinned beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from profilers.base import Tensor
from profilers.errors import BadInput

# numbers that NumPy has a type for
DTYPES = (
    "float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool",
)  # fmt: skip


class Declared(NamedTuple):
    """An input or output as the model states it: a dynamic dimension is None."""

    dims: Sequence[int | None]
    dtype: str


def static(inputs: Mapping[str, Declared], batch: int) -> dict[str, Tensor]:
    """The inputs with their dynamic first dimensions set to `batch`.

    Raises:
        BadInput: static first dimensions none of which is `batch`, another dynamic one, or a type that NumPy lacks.
    """
    check_batch([entry.dims for entry in inputs.values()], batch)
    return {name: static_tensor(name, entry, batch) for name, entry in inputs.items()}


def check_batch(shapes: Sequence[Sequence[int | None]], batch: int) -> None:
    """BadInput where the first dimensions are static and none is `batch`."""
    first = list(dict.fromkeys(dims[0] for dims in shapes if dims))
    if first and None not in first and batch not in first:
        raise BadInput(f"batch {batch} for a model of static batch {first[0]}", str(first[0]))


def static_tensor(name: str, declared: Declared, batch: int) -> Tensor:
    """One of them; see `static`."""
    if declared.dtype not in DTYPES:
        raise BadInput(f"tensor {name} of type {declared.dtype}", ", ".join(DTYPES))
    shape = static_shape(declared.dims, batch)
    if shape is None:
        remedy = f"pin it: --shape {name}={'x'.join(str(d or '?') for d in declared.dims)}"
        raise BadInput(f"tensor {name} with dynamic dimensions", "no dynamic dimension but the batch", remedy)
    return Tensor(shape, declared.dtype)


def static_shape(dims: Sequence[int | None], batch: int) -> tuple[int, ...] | None:
    """The shape with a dynamic first dimension set to `batch`; None where another one is dynamic."""
    shape = tuple(batch if i == 0 and d is None else d for i, d in enumerate(dims))
    fixed = tuple(d for d in shape if d is not None)
    return fixed if len(fixed) == len(shape) else None
