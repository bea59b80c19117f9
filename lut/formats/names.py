"""How each published format names a layer.

nsganetv2     Lu et al. 2020, data/i7-8700K_lut.yaml: expand is the ratio; mean and var of milliseconds; no pooling.
ofa           Cai et al. 2020, note10/RESOLUTION_lookup_table.yaml: expand is in channels; count, mean, std.
proxylessnas  Cai et al. 2019, mobile_trim.yaml: expand is the ratio, no activation; count, mean, var.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from lut.protocols import Layer, Space, layers_at
from profilers.errors import BadInput, TableError
from profilers.onnx.operations import Convolution, Skip, SqueezeExcite

Namer = Callable[[Layer, int], str | None]


@dataclass(frozen=True)
class Format:
    """One format: `name_of(layer, pixels before pooling)` is None for what it has no entry for."""

    name: str
    name_of: Namer
    spread: str
    counted: bool
    file_per_resolution: bool = False

    def names(self, space: Space, resolution: int) -> dict[str, str | None]:
        """Layer key -> the format's name, of all layers at one resolution."""
        layers = layers_at(space, resolution)
        pooled = next((layer.size for layer in layers if layer.kind == "pool"), 1)
        return {layer.key: self.name_of(layer, pooled) for layer in layers}


def _shape(layer: Layer) -> str:
    return f"input:{layer.size}x{layer.size}x{layer.in_channels}-output:{layer.out}x{layer.out}x{layer.out_channels}"


class _Bottleneck(NamedTuple):
    """What the formats say of an inverted bottleneck beside its shape; `depth` is its depthwise convolution."""

    depth: Convolution
    tail: str
    idskip: int
    se: int


def _bottleneck(layer: Layer, *, expand_in_channels: bool = False) -> _Bottleneck:
    operations = layer.graph()
    depth = next(x for x in operations if isinstance(x, Convolution) and x.part == "depth")
    expand = depth.in_channels if expand_in_channels else layer.expand
    skips, gates = (sum(isinstance(x, kind) for x in operations) for kind in (Skip, SqueezeExcite))
    return _Bottleneck(depth, f"expand:{expand}-kernel:{depth.kernel}-stride:{depth.stride}", skips, gates)


def _place(layer: Layer) -> str:
    """mbconv, pool, linear, and of the convolutions: first, last, mix (behind the pooling)."""
    operation = layer.graph()[0]
    if layer.kind == "conv" and isinstance(operation, Convolution):
        return "first" if operation.kernel > 1 else "last" if operation.bn else "mix"
    if layer.kind not in ("mbconv", "pool", "linear"):
        raise TableError(f"a layer {layer.key}", "inverted bottlenecks, which published formats have names for")
    return layer.kind


def _nsganetv2(layer: Layer, _: int) -> str | None:
    place = _place(layer)
    if place == "mbconv":
        inside = _bottleneck(layer)
        return f"MBConv-{_shape(layer)}-{inside.tail}-idskip:{inside.idskip}-se:{inside.se}"
    if place == "linear":
        return f"classifier-input:{layer.in_channels}-output:{layer.out_channels}"
    names = {"first": "first_conv", "last": "final_expand_layer", "mix": "feature_mix_layer"}
    return f"{names[place]}-{_shape(layer)}" if place in names else None


def _ofa(layer: Layer, _: int) -> str | None:
    place = _place(layer)
    if place == "mbconv":
        inside = _bottleneck(layer, expand_in_channels=True)
        flags = f"idskip:{inside.idskip}-se:{inside.se}-hs:{int(inside.depth.act == 'hswish')}"
        return f"expanded_conv-{_shape(layer)}-{inside.tail}-{flags}"
    if place == "linear":
        return f"Logits-input:1x1x{layer.in_channels}-output:{layer.out_channels}"
    names = {"first": "Conv", "last": "Conv_1", "mix": "Conv_2", "pool": "AvgPool2D"}
    return f"{names[place]}-{_shape(layer)}"


def _proxylessnas(layer: Layer, pooled: int) -> str | None:
    place = _place(layer)
    if place == "mbconv":
        inside = _bottleneck(layer)
        return f"expanded_conv-{_shape(layer)}-{inside.tail}-idskip:{inside.idskip}"
    if place == "linear":  # pooling included
        return f"Logits-input:{pooled}x{pooled}x{layer.in_channels}-output:{layer.out_channels}"
    names = {"first": "Conv", "last": "Conv_1", "mix": "Conv_2"}
    return f"{names[place]}-{_shape(layer)}" if place in names else None


FORMATS = {
    f.name: f
    for f in (
        Format("nsganetv2", _nsganetv2, "var", counted=False),
        Format("ofa", _ofa, "std", counted=True, file_per_resolution=True),
        Format("proxylessnas", _proxylessnas, "var", counted=True),
    )
}


def get_format(name: str) -> Format:
    """The format of that name; BadInput for an unknown one."""
    if name not in FORMATS:
        raise BadInput(f"unknown format {name!r}", ", ".join(FORMATS))
    return FORMATS[name]
