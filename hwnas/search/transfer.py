"""Objective transfer (paper, appendix B.2): a search starts from the choices that another run's front has made.

    f networks of the front, ordered by MAdds   n networks to sample   w (n, f) how much each front network counts

Every choice of a sampled network is drawn independently with the frequency that it has on the front, smoothed, so that
what no front network uses stays possible. A front goes from small to large networks, and independent draws from all of
it give only middle-sized ones (a sum over many layers); so each sample draws from the frequencies around one place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, SearchSpace

Floats = NDArray[np.float64]
SMOOTHING = 0.5  # networks' worth of uniform choices, beside the front's own
WIDTH = 0.05  # of the front, as the standard deviation of what counts around a place


def sample_like(space: SearchSpace, front: Genes, n: int, rng: np.random.Generator) -> Genes:
    """(n, n_genes) canonical genes with the choices of `front` (f, n_genes), which is ordered by size."""
    w = _weights(len(front), n, rng)
    depth = space.depth_of(front)
    depths = np.stack([_draw(w, depth[:, i], space.depths, rng) for i in range(len(space.stages))], axis=1)
    present = space.present(depths)
    genes = np.stack([_draw(w, front[:, g], range(1, space.upper[g] + 1), rng) for g in range(space.n_genes)], axis=1)
    return space.keep(genes, present)


def by_size(space: SearchSpace, genes: Genes) -> Genes:
    """The same networks, from few to many MAdds."""
    cost = space.compile(lambda layer: layer.madds)
    return genes[np.argsort(cost.evaluate(genes[:, 0], space.choices(genes)), kind="stable")]


def _weights(front: int, n: int, rng: np.random.Generator) -> Floats:
    """(n, f): Gaussian around places that are spread evenly over the front, in random order; the nearest counts 1."""
    place = (rng.permutation(n) + 0.5) / n
    rank = (np.arange(front) + 0.5) / front
    w = np.exp(-0.5 * ((place[:, None] - rank) / WIDTH) ** 2)
    return np.asarray(w / w.max(axis=1, keepdims=True))


def _draw(w: Floats, values: NDArray[np.integer], allowed: object, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) one of `allowed` each; a value that is none of them (an absent layer) counts for nothing."""
    options = np.array(list(allowed))  # type: ignore[call-overload]
    share = w @ (values[:, None] == options) + SMOOTHING / len(options)
    edges = np.cumsum(share, axis=1)
    return np.asarray(options[(rng.random((len(w), 1)) * edges[:, -1:] > edges).sum(axis=1)], np.int64)
