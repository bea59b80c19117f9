"""Which choices the networks on a front have made (paper, Fig. 10), and how a network looks (Fig. 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Architecture, SearchSpace
from hwnas.space.attributes import Option

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frequencies:
    """Shares of the networks on one front, columns add up to 1, or are NaN where no network has that layer.

    choices (options, S) by layer, for each attribute's name; depth (D, stages) by block, resolution (R, 1).
    """

    title: str
    networks: int
    choices: Mapping[str, Floats]
    depth: Floats
    resolution: Floats


@dataclass(frozen=True)
class Drawing:
    """One network: (stages, slots a stage) the options of each layer, in the space's order; None where it is absent."""

    id: str
    resolution: int
    layers: tuple[tuple[tuple[Option, ...] | None, ...], ...]


def count(title: str, space: SearchSpace, archs: Sequence[Architecture]) -> Frequencies:
    """The shares of each choice among these networks."""
    genes = space.genes_of(space.encode(archs))
    depth = np.array([arch.d for arch in archs]).reshape(-1, len(space.stages))
    resolution = np.array([arch.r for arch in archs]).reshape(-1, 1)
    return Frequencies(
        title,
        len(archs),
        {
            a.name: _shares(gene, range(1, n + 1))
            for a, n, gene in zip(space.attributes, space.counts, genes, strict=True)
        },
        _shares(depth, space.all_depths),
        _shares(resolution, space.resolutions),
    )


def _shares(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], allowed: Sequence[int]) -> Floats:
    """(choices, columns) of (networks, columns)."""
    counts = np.array([(values == choice).sum(axis=0) for choice in allowed], float)
    total = counts.sum(axis=0)
    return counts / np.where(total > 0, total, np.nan)


def draw(space: SearchSpace, arch: Architecture) -> Drawing:
    """The layers of `arch` at their places."""
    layers = iter(zip(*(arch.values(a.key) for a in space.attributes), strict=True))
    stages = [
        (*(next(layers) for _ in range(depth)), *(None,) * (capacity - depth))
        for depth, capacity in zip(arch.d, space.capacity, strict=True)
    ]
    return Drawing(arch.id, arch.r, tuple(stages))
