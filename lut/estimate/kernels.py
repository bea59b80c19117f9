"""What a layer makes a GPU do: its kernels, as an eager framework launches them, with arithmetic and traffic.

    macs   multiply-adds      moved  bytes read and written (float32)

Convolution, BatchNorm, activation, squeeze-and-excite's steps and the residual add are a kernel each; a fusing engine
launches fewer, in proportion. `features` sums them by kind: few numbers that explain a network's time on any GPU
(docs/measurement.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lut.protocols import Floats, Layer
from profilers.onnx.operations import Convolution, Operation, Pool, Skip, SqueezeExcite

KINDS = ("pointwise", "depthwise", "bn", "act", "se", "residual")
FEATURES = (
    "pointwise GMAC",
    "depthwise GMAC",
    "convolutions GB",
    "bn GB",
    "act GB",
    "se GB",
    "residual GB",
    "kernels",
    "layers",
)
_FLOAT = 4


@dataclass(frozen=True)
class Kernel:
    """One launch."""

    kind: str
    macs: float
    moved: float


def kernels(layer: Layer, batch: int) -> list[Kernel]:
    """The launches of one layer for a batch of images."""
    return list(_kernels(layer, batch))


def features(layer: Layer, batch: int) -> Floats:
    """(len(FEATURES),) sums over the layer's kernels, and 1 for the layer itself."""
    found = kernels(layer, batch)

    def total(name: str, *kinds: str) -> float:
        return float(sum(getattr(k, name) for k in found if k.kind in kinds)) / 1e9

    work = [total("macs", "pointwise"), total("macs", "depthwise"), total("moved", "pointwise", "depthwise")]
    return np.array([*work, *(total("moved", kind) for kind in KINDS[2:]), float(len(found)), 1.0])


def _kernels(layer: Layer, batch: int) -> Iterator[Kernel]:
    for operation in layer.graph():
        yield from _launches(operation, batch)


def _launches(operation: Operation, batch: int) -> Iterator[Kernel]:
    match operation:
        case Convolution():
            yield from _convolution(operation, batch)
        case Pool():
            yield _elementwise("se", operation.channels * operation.size**2, 1, batch)
        case SqueezeExcite():
            features = operation.channels * operation.size**2
            yield _elementwise("se", features, 1, batch)  # pooling
            for convolution in operation.convolutions:
                yield from _convolution(convolution, batch)
            yield _elementwise("se", features, 3, batch)  # scaling
        case Skip():
            yield _elementwise("residual", operation.channels * operation.size**2, 3, batch)


def _convolution(c: Convolution, batch: int) -> Iterator[Kernel]:
    out = c.out_channels * c.out**2
    moved = batch * (c.in_channels * c.size**2 + out) + c.params
    yield Kernel("depthwise" if c.groups > 1 else "pointwise", batch * c.madds, _FLOAT * moved)
    if c.bn:
        yield _elementwise("bn", out, 2, batch)
    if c.act != "none":
        yield _elementwise("act", out, 2, batch)


def _elementwise(kind: str, values: int, passes: int, batch: int) -> Kernel:
    return Kernel(kind, 0.0, _FLOAT * passes * batch * values)
