"""One layer of a network, described once; counts, torch, ONNX and table keys all derive from it.

size    input height = width, pixels         kernel, stride   of the (depthwise) convolution
out     output height = width, pixels        mid              channels between expand and project
eps     what BatchNorm adds to the variance; no part of the key, for it costs nothing

A kind of layer is a function from a `LayerSpec` to its operations. A new kind is one call of `register_kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from profilers.errors import BadInput
from profilers.onnx.operations import EPS, Convolution, Linear, Operation, Pool, Skip, SqueezeExcite

ACTIVATIONS = ("none", "relu", "relu6", "hswish")


def round_channels(value: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (MobileNet's rule)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


@dataclass(frozen=True)
class LayerSpec:
    """A layer of one of the registered kinds; which fields count depends on the kind."""

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

    def graph(self) -> tuple[Operation, ...]:
        """The operations inside, in order of execution; BadInput for an unknown kind."""
        return self._graph

    @cached_property
    def _graph(self) -> tuple[Operation, ...]:
        return tuple(_kind(self.kind).graph(self))

    @property
    def out(self) -> int:
        """Output height and width in pixels."""
        return self._graph[-1].out

    @property
    def is_classifier(self) -> bool:
        """Whether the output is flat: (N, out_channels)."""
        return isinstance(self._graph[-1], Linear)

    @cached_property
    def key(self) -> str:
        """The layer's name in a latency table: equal keys cost the same."""
        shape = f"{self.kind}-{self.size}x{self.size}x{self.in_channels}-{self.out}x{self.out}x{self.out_channels}"
        return shape + _kind(self.kind).key(self)

    @cached_property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The convolutions and linear maps inside, in order of execution."""
        return tuple(c for operation in self._graph for c in operation.convolutions)

    @cached_property
    def params(self) -> int:
        """Learnable parameters: weights, biases and two per BatchNorm channel."""
        return sum(c.params for c in self.convolutions)

    @cached_property
    def madds(self) -> int:
        """Multiply-adds of convolutions and linear maps for one image."""
        return sum(c.madds for c in self.convolutions)


# --- kinds ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerKind:
    """What a kind of layer is.

    `graph` gives a layer's operations; `key` is what a latency table's name of the layer says behind kind and shape,
    which must be everything that changes the layer's cost.
    """

    graph: Callable[[LayerSpec], Iterable[Operation]]
    key: Callable[[LayerSpec], str]


KINDS: dict[str, LayerKind] = {}


def all_choices(spec: LayerSpec) -> str:
    """The part of a key that tells apart whatever fields a kind may read."""
    choices = f"-k{spec.kernel}-s{spec.stride}-{spec.act}"
    return f"{choices}-e{spec.expand}-m{spec.mid}-se{int(spec.se)}-skip{int(spec.skip)}"


def register_kind(
    name: str,
    graph: Callable[[LayerSpec], Iterable[Operation]],
    key: Callable[[LayerSpec], str] = all_choices,
) -> None:
    """Add a kind of layer; counts, torch, ONNX, the roofline and tables then know it.

    Raises:
        BadInput: a name that is taken or is no plain word.
    """
    if name in KINDS:
        raise BadInput(f"a second kind of layer {name!r}", "another name")
    if not name.isidentifier():
        raise BadInput(f"a kind of layer {name!r}", "a name of letters, digits and _")
    KINDS[name] = LayerKind(graph, key)


def _kind(name: str) -> LayerKind:
    if name not in KINDS:
        raise BadInput(f"unknown kind of layer {name!r}", ", ".join(KINDS), "register_kind")
    return KINDS[name]


def _conv(spec: LayerSpec) -> Iterable[Operation]:
    """Convolution, BatchNorm if `bn`, activation."""
    shape = spec.size, spec.in_channels, spec.out_channels, spec.kernel, spec.stride
    yield Convolution("conv", *shape, bn=spec.bn, eps=spec.eps, act=spec.act)


def _conv_choices(spec: LayerSpec) -> str:
    return f"-k{spec.kernel}-s{spec.stride}-{spec.act}" + ("" if spec.bn else "-nobn")


def _mbconv(spec: LayerSpec) -> Iterable[Operation]:
    """Inverted bottleneck: 1x1 expand (where expand is not 1), depthwise, squeeze-and-excite, 1x1 project, skip.

    Source: MobileNetV3 (Howard et al. 2019), section 3; once-for-all's MBInvertedConvLayer.
    """
    size, mid = spec.size, spec.mid
    if spec.expand != 1:
        yield Convolution("expand", size, spec.in_channels, mid, eps=spec.eps, act=spec.act)
    depth = Convolution("depth", size, mid, mid, spec.kernel, spec.stride, mid, eps=spec.eps, act=spec.act)
    yield depth
    if spec.se:
        yield SqueezeExcite(depth.out, mid, round_channels(mid // 4))
    yield Convolution("project", depth.out, mid, spec.out_channels, eps=spec.eps)
    if spec.skip:
        yield Skip(depth.out, spec.out_channels)


def _fused(spec: LayerSpec) -> Iterable[Operation]:
    """Fused inverted bottleneck: kxk expand and 1x1 project (one kxk convolution where expand is 1), skip.

    Source: EfficientNetV2 (Tan and Le 2021), section 3.2 and figure 2.
    """
    part, width = ("conv", spec.out_channels) if spec.expand == 1 else ("expand", spec.mid)
    shape = spec.size, spec.in_channels, width, spec.kernel, spec.stride
    full = Convolution(part, *shape, eps=spec.eps, act=spec.act)
    yield full
    if spec.expand != 1 and spec.se:
        yield SqueezeExcite(full.out, width, round_channels(width // 4))
    if spec.expand != 1:
        yield Convolution("project", full.out, width, spec.out_channels, eps=spec.eps)
    if spec.skip:
        yield Skip(full.out, spec.out_channels)


def _pool(spec: LayerSpec) -> Iterable[Operation]:
    """Global average pooling."""
    yield Pool(spec.size, spec.out_channels)


def _linear(spec: LayerSpec) -> Iterable[Operation]:
    """Fully connected, with bias."""
    yield Linear("linear", 1, spec.in_channels, spec.out_channels, bn=False, bias=True)


def _no_choices(_: LayerSpec) -> str:
    return ""


register_kind("conv", _conv, _conv_choices)
register_kind("mbconv", _mbconv)
register_kind("fused", _fused)
register_kind("pool", _pool, _no_choices)
register_kind("linear", _linear, _no_choices)
