"""Table 3 of the paper (NSGANetV2, Lu et al. 2020): ImageNet networks on an Intel i7-8700K, batch 1, as printed."""

from __future__ import annotations

from typing import NamedTuple

DEVICE = "Intel i7-8700K, batch 1 (NSGANetV2, Table 3)"


class Row(NamedTuple):
    """A network of the table: millions of params and multiply-adds, milliseconds, ImageNet top-1 in %."""

    title: str
    params_m: float
    madds_m: float
    cpu_ms: float
    top1: float


# By the name that torchvision or timm have for the same network
TABLE = {
    "mobilenet_v2": Row("MobileNetV2", 3.4, 300, 8.3, 72.0),
    "fbnetc_100": Row("FBNet-C", 5.5, 375, 9.1, 74.9),
    "mobilenet_v3_large": Row("MobileNetV3", 5.4, 219, 10.0, 75.2),
    "efficientnet_b0": Row("EfficientNet-B0", 5.3, 390, 14.4, 76.3),
    "mixnet_m": Row("MixNet-M", 5.0, 360, 24.3, 77.0),
    "efficientnet_b1": Row("EfficientNet-B1", 7.8, 700, 21.5, 78.8),
    "mixnet_l": Row("MixNet-L", 7.3, 565, 29.4, 78.9),
}
