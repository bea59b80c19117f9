"""The network that comes nearest to a budget, where none of those that were drawn keeps it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hwnas.search.objectives import Objective
from hwnas.search.operators import distinct, vary
from hwnas.search.problem import Floats, share_of
from hwnas.space import Genes, SearchSpace

GENERATIONS, PARENTS, CHILDREN = 60, 40, 200


def nearest(
    space: SearchSpace, objectives: Mapping[str, Objective], budget: Mapping[str, float], rng: np.random.Generator
) -> tuple[Genes, float]:
    """(1, n_genes) the network found that exceeds the budget least, and by how much: relative, summed; 0 keeps it."""
    kept = np.concatenate([space.encode(space.extremes()), space.sample(CHILDREN, rng)])
    for _ in range(GENERATIONS):
        over = _excess(kept, objectives, budget)
        kept = kept[np.argsort(over, kind="stable")[:PARENTS]]
        if over.min() <= 0:
            break
        kept = np.concatenate([kept, vary(space, kept, CHILDREN, rng)])
        kept = kept[distinct(kept)]
    over = _excess(kept, objectives, budget)
    best = int(np.argmin(over))
    return kept[best : best + 1], float(over[best])


def _excess(genes: Genes, objectives: Mapping[str, Objective], budget: Mapping[str, float]) -> Floats:
    total = np.zeros(len(genes))
    for name, limit in budget.items():
        objective = objectives[name]
        if objective.evaluate is not None:
            total += np.maximum(share_of(objective.evaluate(genes), limit, objective.minimise) - 1.0, 0.0)
    return np.where(np.isnan(total), np.inf, total)
