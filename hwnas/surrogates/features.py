"""Features of an architecture for the surrogates: slot-wise one-hot, absence as zeros.

    S slots   A attributes   K options of one   R resolutions   f = S K + … + S + R + 1
    columns: one-hot (S, K) of each attribute, presence (S), resolution one-hot (R), resolution from 0 to 1

Lu et al.'s reference code gives kernel 3 and "no layer" one integer; here no two networks share a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, SearchSpace
from hwnas.space.attributes import Attribute


@dataclass(frozen=True, eq=False)
class Layout:
    """What the columns mean.

    groups: slices of columns that belong together and share a length scale.
    ordinal (f, A S + 1): a linear map from the columns to each choice of each slot (0 where absent) and resolution,
    each scaled to 0..1; models that need few dimensions use it.
    """

    groups: tuple[slice, ...]
    ordinal: NDArray[np.float64]


def layout(space: SearchSpace) -> Layout:
    """The columns that `encode` gives for `space`."""
    slots, counts = space.slots, space.counts
    ends = np.cumsum([0, *(slots * n for n in counts), slots, len(space.resolutions) + 1]).tolist()
    ordinal = np.zeros((ends[-1], len(counts) * slots + 1))
    for i, (a, n) in enumerate(zip(space.attributes, counts, strict=True)):
        for slot in range(slots):
            first = ends[i] + slot * n
            ordinal[first : first + n, i * slots + slot] = _scaled(a)
    ordinal[-1, -1] = 1.0
    return Layout(tuple(slice(a, b) for a, b in pairwise(ends)), ordinal)


def _scaled(attribute: Attribute) -> NDArray[np.float64]:
    """(options,) from 0 to 1: numbers by the largest, words by their place."""
    values = np.array(attribute.options if attribute.is_number else range(1, len(attribute.options) + 1), float)
    return np.asarray(values / values.max())


def encode(space: SearchSpace, genes: Genes) -> NDArray[np.float64]:
    """(n, f) features of (n, n_genes) canonical genes."""
    chosen = space.genes_of(genes)
    low, high = min(space.resolutions), max(space.resolutions)
    pixels = (np.array(space.resolutions, float)[genes[:, 0] - 1] - low) / max(high - low, 1)
    parts = [
        *(_one_hot(gene, n) for gene, n in zip(chosen, space.counts, strict=True)),
        chosen[0] > 0,
        _one_hot(genes[:, :1], len(space.resolutions)),
        pixels[:, None],
    ]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def _one_hot(genes: Genes, choices: int) -> NDArray[np.bool_]:
    """(n, columns * choices): gene v sets flag v - 1, 0 sets none."""
    return np.asarray(genes[:, :, None] == np.arange(1, choices + 1)).reshape(len(genes), genes.shape[1] * choices)
