"""Variation of networks: crossover and mutation on canonical genes.

    n networks   S slots   genes (n, n_genes), see `hwnas.space.base`

What a slot chooses, the depth of a stage and the resolution are what varies. A gene is 0 where its layer is
absent, so mutating single genes could hardly ever add a layer; here depth is a site of its own, and an added layer
gets random choices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, SearchSpace

_EXPECTED_SITES = (1, 2, 4)  # expected number of mutated sites of a child, one of these at random


def vary(space: SearchSpace, parents: Genes, n: int, rng: np.random.Generator) -> Genes:
    """(n, n_genes) children of randomly paired parents: half by crossover, all mutated."""
    a, b = (parents[rng.integers(len(parents), size=n)] for _ in range(2))
    mixed = crossover(space, a, b, rng)
    return mutate(space, np.where(rng.random((n, 1)) < 0.5, mixed, a), rng)


def crossover(space: SearchSpace, a: Genes, b: Genes, rng: np.random.Generator) -> Genes:
    """(n, n_genes) children that take each stage's depth, each slot's choices and the resolution from either parent."""
    n, s = len(a), space.slots
    has_a, has_b = a[:, 1 : 1 + s] > 0, b[:, 1 : 1 + s] > 0
    from_b = np.where(has_a & has_b, rng.random((n, s)) < 0.5, has_b)
    depth_from_b = (rng.random((n, len(space.stages))) < 0.5)[:, space.stage_of]
    present = np.where(depth_from_b, has_b, has_a)
    slots = np.where(space.tiled(from_b), b[:, 1:], a[:, 1:])
    resolution = np.where(rng.random((n, 1)) < 0.5, a[:, :1], b[:, :1])
    return space.keep(np.concatenate([resolution, slots], axis=1), present)


def mutate(space: SearchSpace, genes: Genes, rng: np.random.Generator) -> Genes:
    """(n, n_genes) genes with one to a few sites drawn anew."""
    n, stages = len(genes), len(space.stages)
    sites = space.n_genes + stages
    rate = rng.choice(_EXPECTED_SITES, (n, 1)) / sites
    drawn = rng.integers(np.maximum(space.lower, 1), space.upper + 1, genes.shape)
    changed = np.where((rng.random(genes.shape) < rate) | (genes == 0), drawn, genes)
    drawn_depth = rng.random((n, stages)) < rate
    depth = np.where(drawn_depth, rng.choice(space.depths, (n, stages)), space.depth_of(genes))
    return space.keep(changed, space.present(depth))


def sample_spread(space: SearchSpace, n: int, rng: np.random.Generator) -> Genes:
    """(n, n_genes) networks from small to large: each has a size u in 0..1, and leans towards its choices' u-quantiles.

    Independent uniform choices all give middle-sized networks (a sum over many slots); a search needs its surrogate to
    know both ends of the front.
    """
    u = rng.random((n, 1))
    genes = 1 + rng.binomial(np.broadcast_to(space.upper - 1, (n, space.n_genes)), u)
    depth = np.array(space.depths)[rng.binomial(len(space.depths) - 1, u, (n, len(space.stages)))]
    return space.keep(genes, space.present(depth))


def distinct(genes: Genes, seen: set[bytes] | None = None) -> NDArray[np.intp]:
    """Indices of rows that occur first, in order, leaving out those whose `key` is in `seen`."""
    first: dict[bytes, int] = {}
    for i, known in enumerate(keys(genes)):  # by hash: sorting whole rows takes longer
        first.setdefault(known, i)
    return np.array([i for known, i in first.items() if known not in (seen or ())], np.intp)


def keys(genes: Genes) -> list[bytes]:
    """The `key` of each row."""
    data, width = np.asarray(genes, np.int64).tobytes(), 8 * genes.shape[1]
    return [data[i : i + width] for i in range(0, len(data), width)]


def key(row: Genes) -> bytes:
    """A canonical genotype as a dictionary key."""
    return row.astype(np.int64).tobytes()
