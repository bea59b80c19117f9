"""Writes networks as once-for-all's `net.config`, in the names of its older or newer code."""

from __future__ import annotations

from typing import Any

from hwnas.space import LayerSpec

ACTS = {"relu": "relu", "relu6": "relu6", "hswish": "h_swish", "none": None}
PLAIN = {"use_bn": False, "act_func": None, "dropout_rate": 0, "ops_order": "weight_bn_act"}


def convolution(spec: LayerSpec) -> dict[str, Any]:
    return {
        "name": "ConvLayer", "kernel_size": spec.kernel, "stride": spec.stride, "dilation": 1, "groups": 1,
        "bias": False, "has_shuffle": False, "in_channels": spec.in_channels, "out_channels": spec.out_channels,
        "use_bn": spec.bn, "act_func": ACTS[spec.act], "dropout_rate": 0, "ops_order": "weight_bn_act",
    }  # fmt: skip


def block(spec: LayerSpec, newer: bool) -> dict[str, Any]:
    inner = {
        "name": "MBConvLayer" if newer else "MBInvertedConvLayer", "in_channels": spec.in_channels,
        "out_channels": spec.out_channels, "kernel_size": spec.kernel, "stride": spec.stride,
        "expand_ratio": spec.expand, "mid_channels": None if spec.expand == 1 else spec.mid,
        "act_func": ACTS[spec.act], "use_se": spec.se,
    }  # fmt: skip
    c = spec.in_channels
    shortcut = {"name": "IdentityLayer", "in_channels": [c], "out_channels": [c], **PLAIN} if spec.skip else None
    if newer:
        return {"name": "ResidualBlock", "conv": inner | {"groups": None}, "shortcut": shortcut}
    return {"name": "MobileInvertedResidualBlock", "mobile_inverted_conv": inner, "shortcut": shortcut}


def net_config(layers: tuple[LayerSpec, ...], newer: bool = False) -> dict[str, Any]:
    """Of a network of `mbv3` or `proxyless`: what stands behind the pooling tells them apart."""
    mobile = layers[-3].kind == "pool"
    after = {"feature_mix_layer": convolution(layers[-2] if mobile else layers[-3])}
    if mobile:
        after = {"final_expand_layer": convolution(layers[-4]), **after}
    linear = layers[-1]
    return {
        "name": "MobileNetV3" if mobile else "ProxylessNASNets", "bn": {"momentum": 0.1, "eps": layers[0].eps},
        "first_conv": convolution(layers[0]),
        "blocks": [block(spec, newer) for spec in layers if spec.kind == "mbconv"], **after,
        "classifier": {"name": "LinearLayer", "in_features": linear.in_channels, "bias": True,
                       "out_features": linear.out_channels, **PLAIN},
    }  # fmt: skip
