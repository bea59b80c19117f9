"""The MobileNetV2-like spaces of once-for-all (width 1.3) and of ProxylessNAS itself (width 1.0).

ReLU6 everywhere, no squeeze-and-excite, a last stage of one layer, and the classifier right behind the pooling.
Source: once-for-all's OFAProxylessNASNets; ProxylessNAS (Cai et al. 2019), section 4.2, where a layer may be left out.
"""

from __future__ import annotations

from hwnas.space.base import SearchSpace
from hwnas.space.definition import Stage
from hwnas.space.layer import round_channels

STAGES = ((24, 2, 0), (40, 2, 0), (80, 2, 0), (96, 1, 0), (192, 2, 0), (320, 1, 1))  # channels, stride, fixed depth


def make(
    name: str, width: float, resolutions: tuple[int, ...], expands: tuple[int, ...], depths: tuple[int, ...]
) -> SearchSpace:
    """Widths are multiplied and rounded to 8."""

    def channels(value: int) -> int:
        return round_channels(value * width)

    stages = tuple(Stage(channels(c), stride, "relu6", False, layers) for c, stride, layers in STAGES)
    return SearchSpace(
        name=name,
        width=width,
        stages=stages,
        resolutions=resolutions,
        resolution_bounds=(64, 512),
        stem=channels(32),
        first=channels(16),
        final=channels(1280),
        mix=0,
        expands=expands,
        depths=depths,
        act="relu6",
        first_act="relu6",
        eps=1e-3,
    )


PROXYLESS = make("proxyless", 1.3, tuple(range(128, 225, 4)), (3, 4, 6), (2, 3, 4))
PROXYLESSNAS = make("proxylessnas", 1.0, (224,), (3, 6), (1, 2, 3, 4))
