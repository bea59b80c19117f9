"""An input or output as the manifest of a built engine holds it, and as a session has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from profilers.session import Tensor as Port


@dataclass(frozen=True)
class Tensor:
    """An input or output."""

    name: str
    """In the model."""
    shape: list[int]
    """With the batch."""
    dtype: str
    """Such as float32."""


def ports(tensors: list[Tensor]) -> dict[str, Port]:
    """Of a manifest's list."""
    return {tensor.name: Port(tuple(tensor.shape), tensor.dtype) for tensor in tensors}


def listed(found: Mapping[str, Port]) -> list[Tensor]:
    """The inverse of `ports`."""
    return [Tensor(name, list(port.shape), port.dtype) for name, port in found.items()]
