"""One layer of a network, described once; counts, torch, ONNX and table keys all derive from it.

size    input height = width, pixels         kernel, stride   of the (depthwise) convolution
out     output height = width, pixels        mid              channels between expand and project
eps     what BatchNorm adds to the variance; no part of the key, for it costs nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

KINDS = ("conv", "mbconv", "pool", "linear")
ACTIVATIONS = ("none", "relu", "relu6", "hswish")
EPS = 1e-5  # BatchNorm's, where nothing else is said


def round_channels(value: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (MobileNet's rule)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


@dataclass(frozen=True)
class LayerSpec:
    """A layer of one of four kinds.

    `conv`: convolution (padding kernel // 2), BatchNorm if `bn`, activation.
    `mbconv`: inverted bottleneck: 1x1 expand (absent where mid equals in and expand is 1), depthwise, optional
    squeeze-and-excite, 1x1 project, optional identity skip (MobileNetV3, section 3; OFA's MBInvertedConvLayer).
    `pool`: global average pooling. `linear`: fully connected, with bias.
    """

    kind: str
    size: int
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    expand: int = 1
    mid: int = 0
    act: str = "none"
    se: bool = False
    skip: bool = False
    bn: bool = True
    eps: float = EPS

    @cached_property
    def out(self) -> int:
        """Output height and width in pixels."""
        return 1 if self.kind == "pool" else -(-self.size // self.stride)

    @cached_property
    def se_mid(self) -> int:
        """Channels inside squeeze-and-excite (reduction 4, rounded to 8); 0 without it."""
        return round_channels(self.mid // 4) if self.se else 0

    @cached_property
    def has_expand(self) -> bool:
        """Whether the 1x1 expansion exists (expand 1 has none)."""
        return self.kind == "mbconv" and self.expand != 1

    @cached_property
    def key(self) -> str:
        """The layer's name in a latency table: equal keys cost the same."""
        shape = f"{self.kind}-{self.size}x{self.size}x{self.in_channels}-{self.out}x{self.out}x{self.out_channels}"
        if self.kind in ("pool", "linear"):
            return shape
        text = f"{shape}-k{self.kernel}-s{self.stride}-{self.act}"
        if self.kind == "conv":
            return text + ("" if self.bn else "-nobn")
        return f"{text}-e{self.expand}-m{self.mid}-se{int(self.se)}-skip{int(self.skip)}"

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The convolutions and linear maps inside, in order of execution."""
        return tuple(_convolutions(self))

    @cached_property
    def params(self) -> int:
        """Learnable parameters: weights, biases and two per BatchNorm channel."""
        return sum(c.params for c in self.convolutions)

    @cached_property
    def madds(self) -> int:
        """Multiply-adds of convolutions and linear maps for one image."""
        return sum(c.madds for c in self.convolutions)


@dataclass(frozen=True)
class Convolution:
    """One convolution (or linear map: size 1, kernel 1) inside a layer; `part` names it."""

    part: str
    size: int
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bn: bool = True
    bias: bool = False
    eps: float = EPS

    @property
    def out(self) -> int:
        """Output height and width in pixels."""
        return -(-self.size // self.stride)

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(out, in / groups, kernel, kernel)."""
        return self.out_channels, self.in_channels // self.groups, self.kernel, self.kernel

    @property
    def params(self) -> int:
        """Learnable parameters."""
        weights = self.out_channels * (self.in_channels // self.groups) * self.kernel**2
        return weights + self.out_channels * (2 * self.bn + self.bias)

    @property
    def madds(self) -> int:
        """Multiply-adds for one image."""
        return self.out**2 * self.out_channels * (self.in_channels // self.groups) * self.kernel**2


def _convolutions(spec: LayerSpec) -> list[Convolution]:
    if spec.kind == "pool":
        return []
    if spec.kind == "linear":
        return [Convolution("linear", 1, spec.in_channels, spec.out_channels, bn=False, bias=True)]
    normed = partial(Convolution, eps=spec.eps)
    if spec.kind == "conv":
        return [normed("conv", spec.size, spec.in_channels, spec.out_channels, spec.kernel, spec.stride, bn=spec.bn)]
    parts = [normed("expand", spec.size, spec.in_channels, spec.mid)] if spec.has_expand else []
    parts.append(normed("depth", spec.size, spec.mid, spec.mid, spec.kernel, spec.stride, groups=spec.mid))
    if spec.se:
        parts.append(Convolution("se_reduce", 1, spec.mid, spec.se_mid, bn=False, bias=True))
        parts.append(Convolution("se_expand", 1, spec.se_mid, spec.mid, bn=False, bias=True))
    return [*parts, normed("project", spec.out, spec.mid, spec.out_channels)]
