"""Features of an architecture for the surrogates: slot-wise one-hot, absence as zeros.

    S slots   K kernels   E expands   R resolutions   f = S K + S E + S + R + 1
    columns: kernel one-hot (S, K), expand one-hot (S, E), presence (S), resolution one-hot (R), resolution from 0 to 1

Lu et al.'s reference code gives kernel 3 and "no layer" one integer; here no two networks share a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, SearchSpace


@dataclass(frozen=True, eq=False)
class Layout:
    """What the columns mean.

    groups: slices of columns that belong together and share a length scale.
    ordinal (f, 2 S + 1): a linear map from the columns to kernel size and expand of each slot (0 where absent) and
    resolution, each scaled to 0..1; models that need few dimensions use it.
    """

    groups: tuple[slice, ...]
    ordinal: NDArray[np.float64]


def layout(space: SearchSpace) -> Layout:
    """The columns that `encode` gives for `space`."""
    s, k, e, r = space.slots, len(space.kernels), len(space.expands), len(space.resolutions)
    ends = np.cumsum([0, s * k, s * e, s, r + 1]).tolist()
    ordinal = np.zeros((ends[-1], 2 * s + 1))
    for slot in range(s):
        ordinal[slot * k : (slot + 1) * k, slot] = np.array(space.kernels) / max(space.kernels)
        ordinal[ends[1] + slot * e : ends[1] + (slot + 1) * e, s + slot] = np.array(space.expands) / max(space.expands)
    ordinal[-1, -1] = 1.0
    return Layout(tuple(slice(a, b) for a, b in pairwise(ends)), ordinal)


def encode(space: SearchSpace, genes: Genes) -> NDArray[np.float64]:
    """(n, f) features of (n, n_genes) canonical genes."""
    kernels, expands = genes[:, 1 : 1 + space.slots], genes[:, 1 + space.slots :]
    low, high = min(space.resolutions), max(space.resolutions)
    pixels = (np.array(space.resolutions, float)[genes[:, 0] - 1] - low) / max(high - low, 1)
    parts = [
        _one_hot(kernels, len(space.kernels)),
        _one_hot(expands, len(space.expands)),
        kernels > 0,
        _one_hot(genes[:, :1], len(space.resolutions)),
        pixels[:, None],
    ]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def _one_hot(genes: Genes, choices: int) -> NDArray[np.bool_]:
    """(n, columns * choices): gene v sets flag v - 1, 0 sets none."""
    return np.asarray(genes[:, :, None] == np.arange(1, choices + 1)).reshape(len(genes), genes.shape[1] * choices)
