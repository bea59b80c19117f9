"""The same block family, small enough to train its supernet on a laptop's CPU in two minutes on 8 x 8 digits."""

from __future__ import annotations

from hwnas.space.base import SearchSpace
from hwnas.space.layout import Stage

TINY = SearchSpace(
    name="tiny", in_channels=1, classes=10, depths=(1, 2, 3),
    resolutions=(12, 14, 16, 18, 20), resolution_bounds=(8, 64), stem=8, final=64, mix=96,
    stages=(Stage(8, 2, "relu", False), Stage(16, 2, "hswish", True), Stage(24, 2, "hswish", True)),
)  # fmt: skip
