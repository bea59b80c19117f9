"""Reader of `net.config`, the JSON in which once-for-all and ProxylessNAS publish a single network.

    name                 MobileNetV3 or ProxylessNASNets        bn       momentum and eps of BatchNorm
    first_conv           ConvLayer                              blocks   MobileInvertedResidualBlock, in order
    final_expand_layer   ConvLayer (MobileNetV3 only)           feature_mix_layer   ConvLayer, classifier   LinearLayer

MobileNetV3 pools before its feature_mix_layer, ProxylessNAS behind it. A block whose convolution is a ZeroLayer (or
null) is its shortcut alone. Newer files say ResidualBlock, conv and MBConvLayer. Nothing in the file is trusted.
Source: mit-han-lab/once-for-all, `networks/mobilenet_v3.py`, `proxyless_nets.py`, `utils/layers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.space.checks import MOST_CLASSES
from hwnas.space.layer import LayerSpec
from profilers.errors import BadInput
from profilers.onnx.operations import EPS

FAMILIES = ("MobileNetV3", "ProxylessNASNets")
SUPERNETS = ("OFAMobileNetV3", "OFAProxylessNASNets")  # whose blocks do not say their kernels
MOST_BLOCKS = 80  # layers are numbered with two digits
MOST_PARAMS = 500_000_000  # 2 GB of weights
_ACTS = {"relu": "relu", "relu6": "relu6", "h_swish": "hswish", None: "none"}
_CHANNELS = (1, 16384)
_PIXELS = (16, 2048)


def is_net_config(value: Any) -> bool:
    """Whether a JSON value is such a file's, right or wrong in the details."""
    return isinstance(value, Mapping) and {"first_conv", "blocks", "classifier"} <= set(value)


def read_layers(value: Any, resolution: int) -> tuple[LayerSpec, ...]:
    """Every layer of the network for square images of `resolution` pixels.

    Raises:
        BadInput: the field that is missing, or says what these networks cannot have.
    """
    if not is_net_config(value):
        raise BadInput("no net.config", "an object with first_conv, blocks and classifier")
    if (name := value.get("name")) in SUPERNETS:
        remedy = "its weights, as --supernet checkpoint/model_best.pth.tar"
        raise BadInput(f"the net.config of a whole supernet ({name})", "that of one network", remedy)
    _one_of(name, FAMILIES, "name")
    if not _PIXELS[0] <= resolution <= _PIXELS[1]:
        raise BadInput(f"resolution {resolution}", f"{_PIXELS[0]} to {_PIXELS[1]} pixels")
    layers = _Walk(resolution, _eps(value)).network(value)
    if (params := sum(layer.params for layer in layers)) > MOST_PARAMS:
        raise BadInput(f"a network of {params:,} parameters", f"at most {MOST_PARAMS:,}")
    return layers


class _Walk:
    """Collects layers; knows the size and channels in front of the next one."""

    def __init__(self, resolution: int, eps: float) -> None:
        self.size, self.channels, self.eps = resolution, 0, eps
        self.layers: list[LayerSpec] = []

    def network(self, value: Mapping[str, Any]) -> tuple[LayerSpec, ...]:
        self.channels = _integer(_part(value, "first_conv"), "in_channels", "first_conv", *_CHANNELS)
        self.convolution(_part(value, "first_conv"), "first_conv")
        blocks = value["blocks"]
        if not isinstance(blocks, list) or not 0 < len(blocks) <= MOST_BLOCKS:
            raise BadInput("'blocks' of the net.config", f"a list of 1 to {MOST_BLOCKS} blocks")
        for index, block in enumerate(blocks):
            self.block(block, f"blocks[{index}]")
        if value["name"] == "MobileNetV3":
            self.convolution(_part(value, "final_expand_layer"), "final_expand_layer")
            self.pool()
        if value.get("feature_mix_layer") is not None:
            self.convolution(_part(value, "feature_mix_layer"), "feature_mix_layer")
        if value["name"] != "MobileNetV3":
            self.pool()
        self.classifier(_part(value, "classifier"))
        return tuple(self.layers)

    def add(self, spec: LayerSpec) -> None:
        self.layers.append(spec)
        self.size, self.channels = spec.out, spec.out_channels

    def pool(self) -> None:
        self.add(LayerSpec("pool", self.size, self.channels, self.channels))

    def convolution(self, layer: Mapping[str, Any], where: str) -> None:
        _one_of(layer.get("name"), ("ConvLayer",), f"{where}.name")
        for name in ("dilation", "groups"):
            _integer({name: 1, **layer}, name, where, 1, 1)
        for name in ("bias", "has_shuffle"):
            if layer.get(name, False) is not False:
                raise BadInput(f"{where}.{name} is {layer[name]!r}", "false")
        _one_of(layer.get("ops_order", "weight_bn_act"), ("weight_bn_act",), f"{where}.ops_order")
        norm = _flag(layer, "use_bn", where, True)
        self.add(
            LayerSpec(
                "conv",
                self.size,
                self.entry(layer, "in_channels", where),
                _integer(layer, "out_channels", where, *_CHANNELS),
                _kernel(layer, where),
                _stride(layer, where),
                act=_act(layer, where, "relu"),
                bn=norm,
                eps=self.eps if norm else EPS,
            )
        )

    def block(self, block: Any, where: str) -> None:
        block = _object(block, where)
        _one_of(block.get("name"), ("MobileInvertedResidualBlock", "ResidualBlock"), f"{where}.name")
        inner = block.get("mobile_inverted_conv", block.get("conv"))
        skip = _shortcut(block.get("shortcut"), where)
        if inner is None or (isinstance(inner, Mapping) and inner.get("name") == "ZeroLayer"):
            if not skip:
                raise BadInput(f"{where} has neither a convolution nor a shortcut", "one of them")
            return
        self.bottleneck(_object(inner, f"{where}.conv"), skip, where)

    def bottleneck(self, layer: Mapping[str, Any], skip: bool, where: str) -> None:
        _one_of(layer.get("name"), ("MBInvertedConvLayer", "MBConvLayer"), f"{where}.conv.name")
        if layer.get("groups") is not None:
            raise BadInput(f"{where}.groups is {layer['groups']!r}", "null: depthwise")
        channels, expand = self.entry(layer, "in_channels", where), _integer(layer, "expand_ratio", where, 1, 64)
        mid = channels * expand
        if layer.get("mid_channels") is not None:
            mid = _integer(layer, "mid_channels", where, *_CHANNELS)
        spec = LayerSpec(
            "mbconv",
            self.size,
            channels,
            _integer(layer, "out_channels", where, *_CHANNELS),
            _kernel(layer, where),
            _stride(layer, where),
            expand,
            mid,
            act=_act(layer, where, "relu6"),
            se=_flag(layer, "use_se", where, False),
            skip=skip,
            eps=self.eps,
        )
        if skip and (spec.stride != 1 or spec.out_channels != channels):
            raise BadInput(f"{where} has a shortcut around a change of shape", "stride 1 and equal channels")
        if expand == 1 and mid != channels:
            raise BadInput(f"{where} has {mid} channels inside at expand_ratio 1", f"{channels}")
        self.add(spec)

    def classifier(self, layer: Mapping[str, Any]) -> None:
        _one_of(layer.get("name"), ("LinearLayer",), "classifier.name")
        if layer.get("bias", True) is not True or layer.get("use_bn", False) is not False or layer.get("act_func"):
            raise BadInput("a classifier without bias, or with BatchNorm or an activation", "a plain linear layer")
        entry = self.entry(layer, "in_features", "classifier")
        self.add(LayerSpec("linear", 1, entry, _integer(layer, "out_features", "classifier", 2, MOST_CLASSES)))

    def entry(self, layer: Mapping[str, Any], name: str, where: str) -> int:
        """The channels that a layer says it reads, which must be those in front of it."""
        if (found := _integer(layer, name, where, *_CHANNELS)) != self.channels:
            raise BadInput(f"{where}.{name} is {found}", f"{self.channels}, which the layer before it gives")
        return found


def _eps(value: Mapping[str, Any]) -> float:
    """BatchNorm's; where the file is silent, what OFA's code takes for that family."""
    if value.get("bn") is None:
        return 1e-5 if value["name"] == "MobileNetV3" else 1e-3
    eps = _object(value["bn"], "bn").get("eps")
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 < eps < 1:
        raise BadInput(f"bn.eps is {eps!r}", "a number between 0 and 1")
    return float(eps)


def _shortcut(value: Any, where: str) -> bool:
    if value is None:
        return False
    layer = _object(value, f"{where}.shortcut")
    _one_of(layer.get("name"), ("IdentityLayer",), f"{where}.shortcut.name")
    if layer.get("use_bn", False) is not False or layer.get("act_func") is not None:
        raise BadInput(f"{where}.shortcut has BatchNorm or an activation", "a plain IdentityLayer")
    return True


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if value.get(name) is None:
        raise BadInput(f"the net.config lacks {name}", "it")
    return _object(value[name], name)


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{where} is {_short(value)}", "an object")
    return value


def _integer(layer: Mapping[str, Any], name: str, where: str, low: int, high: int) -> int:
    value = layer.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{where}.{name} is {_short(value)}", f"{low} to {high}" if low < high else f"{low}")
    return value


def _kernel(layer: Mapping[str, Any], where: str) -> int:
    kernel = _integer(layer, "kernel_size", where, 1, 15)
    if kernel % 2 == 0:
        raise BadInput(f"{where}.kernel_size is {kernel}", "an odd number")
    return kernel


def _stride(layer: Mapping[str, Any], where: str) -> int:
    return _integer(layer, "stride", where, 1, 2)


def _flag(layer: Mapping[str, Any], name: str, where: str, default: bool) -> bool:
    value = layer.get(name, default)
    if not isinstance(value, bool):
        raise BadInput(f"{where}.{name} is {_short(value)}", "true or false")
    return value


def _act(layer: Mapping[str, Any], where: str, default: str) -> str:
    value = layer.get("act_func", default)
    if not isinstance(value, str | None) or value not in _ACTS:
        raise BadInput(f"{where}.act_func is {_short(value)}", "relu, relu6, h_swish or null")
    return _ACTS[value]


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise BadInput(f"{where} is {_short(value)}", " or ".join(allowed))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
