"""Bytes of a network as it is written to ONNX: its constants, and what its activations need at once.

    weight_bytes   all constants: weights and biases with BatchNorm folded in, and the bounds of ReLU6
    peak_memory    the largest sum of live activations when the nodes run in their order, at batch 1

A tensor lives from the node that writes it to the last one that reads it; no node works in place, and an activation is
a node of its own (`hwnas.onnx.writer`). Between two layers one tensor lives, so a network's peak is the largest of its
layers' peaks, each with the layer's input: a maximum over layers is looked up as a sum is.

    fp32 4 bytes a value, fp16 and bf16 2, int8 1
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from hwnas.search.own_objectives import OwnObjective
from hwnas.space.layer import LayerSpec
from profilers.errors import BadInput, shown
from profilers.onnx.operations import Convolution, Linear, Operation, Pool, Skip, SqueezeExcite

BYTES = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
_BOUNDS = {"relu6": 2}  # constants of an activation
Step = tuple[tuple[int, ...], int]  # numbers of the tensors that a node reads, and how many values it writes


def weight_bytes(precision: str = "fp32") -> OwnObjective:
    """The constants of a network in that precision."""
    size = _size(precision)
    return OwnObjective("weight_bytes", layers=lambda layer: size * constants(layer), unit="B", note=precision)


def peak_memory(precision: str = "fp32") -> OwnObjective:
    """The live activations of a network in that precision, where they are most."""
    size = _size(precision)
    return OwnObjective(
        "peak_memory", layers=lambda layer: size * peak(layer), unit="B", note=precision, combine="largest"
    )


def constants(layer: LayerSpec) -> int:
    """How many values a layer's constants are."""
    return sum(prod(c.weight_shape) + c.out_channels + _BOUNDS.get(c.act, 0) for c in layer.convolutions)


def peak(layer: LayerSpec) -> int:
    """Values of the activations that live at once within a layer, its input and output included, at most."""
    entry = layer.in_channels * layer.size**2
    steps = list(_steps(layer))
    sizes = [entry, *(size for _, size in steps)]
    last = {tensor: i for i, (reads, _) in enumerate(steps) for tensor in reads}
    live = (sum(n for t, n in enumerate(sizes[: i + 1]) if last.get(t, -1) >= i) for i in range(len(steps)))
    return max(before + size for before, (_, size) in zip(live, steps, strict=True))


def _steps(layer: LayerSpec) -> Iterator[Step]:
    """The layer's nodes in their order; tensor 0 is its input, and node i writes tensor i + 1."""
    done = 0
    for operation in layer.graph():
        for step in _nodes(operation, done):
            yield step
            done += 1


def _nodes(operation: Operation, last: int) -> Iterator[Step]:
    """The nodes of an operation that reads tensor `last`."""
    match operation:
        case Linear():
            yield (last,), operation.in_channels  # flattened
            yield (last + 1,), operation.out_channels
        case Convolution():
            yield from _convolution(operation, last)
        case Pool():
            yield (last,), operation.channels
        case SqueezeExcite():
            yield (last,), operation.channels
            yield from _convolution(operation.reduce, last + 1)
            yield from _convolution(operation.expand, last + 3)
            yield (last + 5, last), operation.channels * operation.size**2
        case Skip():
            yield (last, 0), operation.channels * operation.size**2


def _convolution(c: Convolution, last: int) -> Iterator[Step]:
    size = c.out_channels * c.out**2
    yield (last,), size
    if c.act != "none":
        yield (last + 1,), size


def _size(precision: str) -> int:
    if precision not in BYTES:
        raise BadInput(f"precision {shown(precision)}", ", ".join(BYTES))
    return BYTES[precision]
