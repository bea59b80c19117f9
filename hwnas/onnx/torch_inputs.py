"""Inputs that a torch module is exported with: given, or noise of given shapes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profilers.errors import BadInput, nearest, shown

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = Mapping[str, Sequence[int]]
Examples = Any  # a tensor, a sequence of them, or a mapping by the name of a parameter of `forward`
SEED = 0


def example_inputs(
    module: nn.Module, shapes: Shapes | None = None, batch: int | None = None, given: Examples = None
) -> dict[str, Tensor]:
    """Inputs of a module by the names of its forward's parameters: those given, or noise of the shapes.

    Args:
        module: without shapes, one of timm, which tells its size.
        shapes: by parameter; "" is the only one.
        batch: the first dimension, where it is not part of the shapes.
        given: tensors, instead of shapes.

    Raises:
        BadInput: shapes that are missing, of no parameter of forward, or that contradict the batch.
    """
    required, names = _parameters(module)
    if given is not None:
        return _checked(_by_name(given, names), names, required, batch)
    import torch

    wanted = dict(shapes or {}) or _own_size(module, required, batch or 1)
    if "" in wanted and len(required) == 1:
        wanted = {(required[0] if name == "" else name): shape for name, shape in wanted.items()}
    generator = torch.Generator().manual_seed(SEED)
    noise = {name: torch.randn(*shape, generator=generator) for name, shape in wanted.items()}
    return _checked(noise, names, required, batch)


def _parameters(module: nn.Module) -> tuple[list[str], list[str]]:
    """The names of forward's positional parameters: those without a default, and all."""
    found = positional(module)
    return [p.name for p in found if p.default is p.empty], [p.name for p in found]


def positional(module: nn.Module) -> list[inspect.Parameter]:
    """The parameters of forward that inputs are given by."""
    try:
        found = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # compiled modules tell none
        return [inspect.Parameter("input", inspect.Parameter.POSITIONAL_ONLY)]
    return [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _own_size(module: nn.Module, required: Sequence[str], batch: int) -> dict[str, tuple[int, ...]]:
    """Of timm's modules; others do not know it."""
    size = (getattr(module, "default_cfg", None) or {}).get("input_size")
    return {required[0]: (batch, *size)} if size and len(required) == 1 else {}


def _by_name(given: Examples, names: Sequence[str]) -> dict[str, Tensor]:
    import torch

    if isinstance(given, Mapping):
        return dict(given)
    several = (given,) if isinstance(given, torch.Tensor) else tuple(given)
    if not all(isinstance(value, torch.Tensor) for value in several) or len(several) > len(names):
        raise BadInput(f"{len(several)} example inputs", f"one tensor for each of {', '.join(names)}")
    return dict(zip(names, several, strict=False))


def _checked(
    inputs: dict[str, Tensor], names: Sequence[str], required: Sequence[str], batch: int | None
) -> dict[str, Tensor]:
    """In the order of forward's parameters."""
    for name in inputs:
        if name not in names:
            raise BadInput(
                f"a shape for {shown(name)}, which forward does not take", ", ".join(names), nearest(name, names)
            )
    ordered = {name: inputs[name] for name in names if name in inputs}
    missing = [name for name in names[: max(len(ordered), len(required))] if name not in ordered]
    if missing or not ordered:
        option = " ".join(f"--shape {name}={batch or 1}x3x224x224" for name in missing)
        raise BadInput(f"a torch module without the shape of {', '.join(missing)}", remedy=f"{option}, with your sizes")
    first = next(iter(ordered.values()))
    if batch is not None and first.shape[:1] != (batch,):
        own = str(first.shape[0]) if first.ndim else "none"
        raise BadInput(f"batch {batch} for inputs of batch {own}", own)
    return ordered
