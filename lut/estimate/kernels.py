"""What a layer makes a GPU do: its kernels, as an eager framework launches them, with arithmetic and traffic.

    macs   multiply-adds      moved  bytes read and written (float32)

Convolution, BatchNorm, activation, squeeze-and-excite's steps and the residual add are a kernel each; a fusing engine
launches fewer, in proportion. `features` sums them by kind: few numbers that explain a network's time on any GPU
(MEASUREMENT, "On GPUs, few networks are enough").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lut.protocols import Convolution, Floats, Layer

KINDS = ("pointwise", "depthwise", "bn", "act", "se", "residual")
FEATURES = (
    "pointwise GMAC", "depthwise GMAC", "convolutions GB", "bn GB", "act GB", "se GB", "residual GB", "kernels",
    "layers",
)  # fmt: skip
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
    if layer.kind == "pool":
        yield _elementwise("se", layer.in_channels * layer.size**2, 1, batch)
        return
    for convolution in layer.convolutions:
        if convolution.part == "se_reduce":
            yield _elementwise("se", layer.mid * layer.out**2, 1, batch)
        yield _convolution(convolution, batch)
        out = convolution.out_channels * convolution.out**2
        if convolution.bn:
            yield _elementwise("bn", out, 2, batch)
        if _activated(layer, convolution.part):
            yield _elementwise("act", out, 2, batch)
        if convolution.part == "se_expand":
            yield _elementwise("se", layer.mid * layer.out**2, 3, batch)
    if layer.skip:
        yield _elementwise("residual", layer.out_channels * layer.out**2, 3, batch)


def _convolution(c: Convolution, batch: int) -> Kernel:
    values = batch * (c.in_channels * c.size**2 + c.out_channels * c.out**2) + c.params
    kind = "depthwise" if c.groups > 1 else "pointwise"
    return Kernel(kind, batch * c.madds, _FLOAT * values)


def _elementwise(kind: str, values: int, passes: int, batch: int) -> Kernel:
    return Kernel(kind, 0.0, _FLOAT * passes * batch * values)


def _activated(layer: Layer, part: str) -> bool:
    inner = part in ("expand", "depth", "se_reduce", "se_expand")
    return inner or (part == "conv" and layer.act != "none")
