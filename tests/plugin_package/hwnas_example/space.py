"""A space: two stages of one or two blocks for small grey images."""

from hwnas.space import SearchSpace, Stage

SMALL = SearchSpace(
    name="little",
    in_channels=1,
    classes=10,
    depths=(1, 2),
    resolutions=(12, 16),
    resolution_bounds=(8, 64),
    stem=8,
    final=32,
    mix=48,
    stages=(Stage(8, 2, "relu", False), Stage(16, 2, "hswish", True)),
)
