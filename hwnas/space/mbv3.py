"""The MobileNetV3-like spaces: that of NSGANetV2 and once-for-all (widths 1.0 and 1.2), a small and a tiny one."""

from __future__ import annotations

from hwnas.space.base import SearchSpace
from hwnas.space.definition import Stage
from hwnas.space.layer import round_channels


def make(name: str, width: float) -> SearchSpace:
    """Widths are multiplied and rounded to 8 (OFAMobileNetV3)."""

    def channels(value: int) -> int:
        return round_channels(value * width)

    stages = (
        Stage(channels(24), 2, "relu", False),
        Stage(channels(40), 2, "relu", True),
        Stage(channels(80), 2, "hswish", False),
        Stage(channels(112), 1, "hswish", True),
        Stage(channels(160), 2, "hswish", True),
    )
    return SearchSpace(
        name=name,
        width=width,
        stages=stages,
        resolutions=tuple(range(192, 257, 4)),
        resolution_bounds=(64, 512),
        stem=channels(16),
        final=channels(960),
        mix=channels(1280),
    )


MBV3 = make("mbv3", 1.0)
MBV3_W12 = make("mbv3-w1.2", 1.2)

# For small colour images: its supernet is trained within minutes on two cores, and its networks take from about 0.1 ms
# (32 px) to 3 ms (96 px) of one core. Without kernel 7, which is larger than what the last stage sees.
SMALL = SearchSpace(
    name="small",
    classes=10,
    kernels=(3, 5),
    depths=(1, 2, 3),
    resolutions=tuple(range(32, 97, 8)),
    resolution_bounds=(16, 256),
    stem=16,
    final=256,
    mix=320,
    stages=(Stage(24, 2, "relu", False), Stage(40, 2, "hswish", True), Stage(80, 2, "hswish", True)),
)

# Small enough to train its supernet in two minutes on a laptop's CPU, on images of 8 x 8 digits.
TINY = SearchSpace(
    name="tiny",
    in_channels=1,
    classes=10,
    depths=(1, 2, 3),
    resolutions=(12, 14, 16, 18, 20),
    resolution_bounds=(8, 64),
    stem=8,
    final=64,
    mix=96,
    stages=(Stage(8, 2, "relu", False), Stage(16, 2, "hswish", True), Stage(24, 2, "hswish", True)),
)
