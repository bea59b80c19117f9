"""A space and an accuracy of your own: --space python:a_small_space:SMALL."""

from dataclasses import replace

from hwnas.space import SearchSpace, Stage, get_space

SMALL = SearchSpace(
    name="grey",
    in_channels=1,
    classes=10,
    resolutions=(24, 32),
    stem=8,
    final=64,
    mix=0,
    kernels=(3, 5),
    depths=(1, 2),
    stages=(Stage(16, 2, "relu", se=False), Stage(24, 2, "hswish", se=True)),
)
DEEP = replace(get_space("tiny"), name="deep-tiny", depths=(2, 4))


def top1(arch):
    return 60 + sum(arch["e"]) + arch["r"] / 8
