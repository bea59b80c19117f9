"""How each published format names a layer.

nsganetv2     Lu et al. 2020, data/i7-8700K_lut.yaml: expand is the ratio; mean and var of milliseconds; no pooling.
ofa           Cai et al. 2020, note10/RESOLUTION_lookup_table.yaml: expand is in channels; count, mean, std.
proxylessnas  Cai et al. 2019, mobile_trim.yaml: expand is the ratio, no activation; count, mean, var.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lut.protocols import Layer, Space, layers_at
from profilers.errors import BadInput

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


def _place(layer: Layer) -> str:
    """first, last, mix (behind the pooling), or the layer's kind."""
    if layer.kind != "conv":
        return layer.kind
    return "first" if layer.kernel > 1 else "last" if layer.bn else "mix"


def _nsganetv2(layer: Layer, _: int) -> str | None:
    place = _place(layer)
    if place == "mbconv":
        tail = f"expand:{layer.expand}-kernel:{layer.kernel}-stride:{layer.stride}"
        return f"MBConv-{_shape(layer)}-{tail}-idskip:{int(layer.skip)}-se:{int(layer.se)}"
    if place == "linear":
        return f"classifier-input:{layer.in_channels}-output:{layer.out_channels}"
    names = {"first": "first_conv", "last": "final_expand_layer", "mix": "feature_mix_layer"}
    return f"{names[place]}-{_shape(layer)}" if place in names else None


def _ofa(layer: Layer, _: int) -> str | None:
    place = _place(layer)
    if place == "mbconv":
        tail = f"expand:{layer.mid}-kernel:{layer.kernel}-stride:{layer.stride}"
        flags = f"idskip:{int(layer.skip)}-se:{int(layer.se)}-hs:{int(layer.act == 'hswish')}"
        return f"expanded_conv-{_shape(layer)}-{tail}-{flags}"
    if place == "linear":
        return f"Logits-input:1x1x{layer.in_channels}-output:{layer.out_channels}"
    names = {"first": "Conv", "last": "Conv_1", "mix": "Conv_2", "pool": "AvgPool2D"}
    return f"{names[place]}-{_shape(layer)}"


def _proxylessnas(layer: Layer, pooled: int) -> str | None:
    place = _place(layer)
    if place == "mbconv":
        tail = f"expand:{layer.expand}-kernel:{layer.kernel}-stride:{layer.stride}-idskip:{int(layer.skip)}"
        return f"expanded_conv-{_shape(layer)}-{tail}"
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
