"""NSGA-II (Deb et al. 2002) on arrays: whole generations at once, because this is a search's own time.

    n networks   genes (n, n_genes), canonical   F (n, m) minimised   excess (n,) beyond the budgets, 0 within

Of parents and children together the best survive: within the budgets before beyond them, by front, by crowding. It is
what pymoo's NSGA-II does (a test compares them), without an object for each network and each of its values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.hypervolume import nondominated
from hwnas.search.operators import distinct, keys
from hwnas.space import Genes

Floats = NDArray[np.float64]
Evaluate = Callable[[Genes], tuple[Floats, Floats]]
Vary = Callable[[Genes, int, np.random.Generator], Genes]
_DRAWS = 10  # rounds of variation for children that are new; a small space may have no more


@dataclass(frozen=True, eq=False)
class Population:
    """Networks, best first, with what their tournaments compare: excess, the front's number, crowding (n,)."""

    genes: Genes
    F: Floats
    excess: Floats
    front: NDArray[np.intp]
    crowding: Floats

    def __len__(self) -> int:
        return len(self.genes)


def evolve(
    evaluate: Evaluate, vary: Vary, start: Genes, rng: np.random.Generator, population: int, generations: int
) -> Genes:
    """(k, n_genes) distinct networks of the last of so many generations, of which `start` is the first.

    `evaluate` takes genes to F and excess; `vary` makes n children of parents.
    """
    found = select(start, *evaluate(start), population)
    for _ in range(generations - 1):
        children = _children(found, vary, rng, population)
        if len(children):
            F, excess = evaluate(children)
            genes = np.concatenate([found.genes, children])
            found = select(genes, np.concatenate([found.F, F]), np.concatenate([found.excess, excess]), population)
    return found.genes


def select(genes: Genes, F: Floats, excess: Floats, count: int) -> Population:
    """The best `count`."""
    within, beyond = np.flatnonzero(excess <= 0), np.flatnonzero(excess > 0)
    fronts: list[NDArray[np.intp]] = []
    distances: list[Floats] = []
    left = count
    while len(within) and left:
        best = nondominated(F[within])
        distance = crowding(F[within[best]])
        order = np.argsort(-distance, kind="stable")[:left]
        fronts.append(within[best][order])
        distances.append(distance[order])
        within, left = within[~best], left - len(order)
    last = beyond[np.argsort(excess[beyond], kind="stable")[:left]]
    rows = np.concatenate([*fronts, last])
    number = np.repeat(np.arange(len(fronts) + 1), [*map(len, fronts), len(last)])
    return Population(genes[rows], F[rows], excess[rows], number, np.concatenate([*distances, np.zeros(len(last))]))


def crowding(F: Floats) -> Floats:
    """(n,) the mean share of each objective's range between a point's neighbours; infinite at the ends."""
    n = len(F)
    if n <= 2:
        return np.full(n, np.inf)
    order = np.argsort(F, axis=0, kind="stable")
    ordered = np.take_along_axis(F, order, axis=0)
    span = ordered[-1] - ordered[0]
    gaps = np.full(F.shape, np.inf)
    gaps[1:-1] = ordered[2:] - ordered[:-2]
    gaps = np.divide(gaps, span, out=np.zeros(F.shape), where=span > 0)
    place = np.empty(F.shape)
    np.put_along_axis(place, order, gaps, axis=0)
    return np.asarray(place.mean(axis=1))


def _children(found: Population, vary: Vary, rng: np.random.Generator, count: int) -> Genes:
    """At most `count` new networks, whose parents each won a tournament of two."""
    children = found.genes[:0]
    for _ in range(_DRAWS):
        more = vary(found.genes[_winners(found, count, rng)], count - len(children), rng)
        children = np.concatenate([children, more])
        children = children[distinct(children, set(keys(found.genes)))]
        if len(children) == count:
            break
    return children


def _winners(found: Population, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(count,) the better of two at random, as often: least excess, then first front, then least crowded."""
    a, b = (rng.integers(len(found), size=count) for _ in range(2))
    place = np.empty(len(found), np.intp)
    place[np.lexsort((-found.crowding, found.front, found.excess))] = np.arange(len(found))
    return np.where(place[a] < place[b], a, b)
