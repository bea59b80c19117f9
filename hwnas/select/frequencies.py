"""Which choices the networks on a front have made (paper, Fig. 10), and how a network looks (Fig. 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Architecture, SearchSpace

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frequencies:
    """Shares of the networks on one front, columns add up to 1, or are NaN where no network has that layer.

    kernel (K, S) and expand (E, S) by layer, depth (D, stages) by block, resolution (R, 1).
    """

    title: str
    networks: int
    kernel: Floats
    expand: Floats
    depth: Floats
    resolution: Floats


@dataclass(frozen=True)
class Drawing:
    """One network: (stages, slots a stage) kernel and expand of each layer, None where it is absent."""

    id: str
    resolution: int
    kernels: tuple[tuple[int | None, ...], ...]
    expands: tuple[tuple[int | None, ...], ...]


def count(title: str, space: SearchSpace, archs: Sequence[Architecture]) -> Frequencies:
    """The shares of each choice among these networks."""
    drawings = [draw(space, arch) for arch in archs]
    kernels, expands = (
        np.array([sum(getattr(d, k), ()) for d in drawings], object).reshape(-1, space.slots)
        for k in ("kernels", "expands")
    )
    depth = np.array([arch.d for arch in archs]).reshape(-1, len(space.stages))
    resolution = np.array([arch.r for arch in archs]).reshape(-1, 1)
    return Frequencies(
        title,
        len(archs),
        _shares(kernels, space.kernels),
        _shares(expands, space.expands),
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
    kernels, expands, start = [], [], 0
    for depth, capacity in zip(arch.d, space.capacity, strict=True):
        absent = (None,) * (capacity - depth)
        kernels.append((*arch.ks[start : start + depth], *absent))
        expands.append((*arch.e[start : start + depth], *absent))
        start += depth
    return Drawing(arch.id, arch.r, tuple(kernels), tuple(expands))
