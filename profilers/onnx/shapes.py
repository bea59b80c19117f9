"""The models that every runtime here takes: one float input, one float output, no dynamic dimension but the batch."""

from __future__ import annotations

from collections.abc import Sequence

from profilers.errors import BadInput


def check_count(inputs: int, outputs: int) -> None:
    """BadInput unless there is one of each."""
    if inputs != 1 or outputs != 1:
        raise BadInput(f"a model with {inputs} inputs and {outputs} outputs", "one of each")


def check_float(name: str, kind: str, wanted: str) -> None:
    """BadInput unless the tensor's element type, in the runtime's own words, is the wanted one."""
    if kind != wanted:
        raise BadInput(f"tensor {name} of type {kind}", "float32")


def static_shape(name: str, dims: Sequence[int | None], batch: int) -> tuple[int, ...]:
    """The shape with its first dimension set to `batch`; a dynamic dimension is None.

    Raises:
        BadInput: a static first dimension that is not `batch`, or another dynamic one.
    """
    first, *rest = dims or (None,)
    if first is not None and first != batch:
        raise BadInput(f"batch {batch} for a model of static batch {first}", str(first))
    fixed = tuple(d for d in rest if d is not None)
    if len(fixed) < len(dims) - 1 or not dims:
        raise BadInput(f"tensor {name} with dynamic dimensions", "no dynamic dimension but the batch")
    return batch, *fixed
