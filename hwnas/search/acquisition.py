"""Which candidates to evaluate (paper, algorithm 1, line 11).

    k candidates   m costs   mean, std (k,) predicted normalised loss and its uncertainty, costs (k, m)

`paper`: the most accurate, then one after another from the sparsest region of MAdds (section 3.3).
`hypervolume`: one after another what is expected to add most hypervolume to the archive and to the ones chosen before,
with a local search around the best candidates, because an inner search for a whole front is not precise at any place.
With a cost budget, three quarters of each batch maximise predicted accuracy within it: at the budget the front meets
the hypervolume's reference point, so the most wanted network would add no volume.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwnas.search.improvement import Improvement
from hwnas.search.operators import distinct, key, keys, vary
from hwnas.search.problem import History, Problem
from hwnas.space import Genes

Floats = NDArray[np.float64]
Gain = Callable[[Genes], Floats]
Predict = Callable[[Genes], tuple[Floats, Floats | None]]

SAMPLES = 2048  # points at which the hypervolume is integrated over the costs
PARENTS = 24  # candidates that each step of the local search keeps
CHILDREN = 96  # and how many it makes of them
STEPS = 8
SHARED = 10  # best candidates of one search that the next one starts from
EXPLOIT_SHARE = 0.75  # of a batch, and of the initial networks, that goes for accuracy within a budget
KAPPAS = (
    0.0,
    1.0,
    2.0,
)  # of the upper confidence bound, in turn; larger ones did worse (`tools.bench.search --budgets`)


@dataclass(frozen=True, eq=False)
class AcquisitionContext:
    """What a rule chooses from: `predict` gives normalised loss (mean, std) of genes, `pool` are the candidates."""

    problem: Problem
    history: History
    predict: Predict
    pool: Genes

    @property
    def seen(self) -> set[bytes]:
        """Networks evaluated before, failed ones included."""
        return set(keys(self.history.genes))


def choose_paper(context: AcquisitionContext, n: int, rng: np.random.Generator) -> Genes:
    """(<= n, n_genes): the most accurate candidate, then those farthest in MAdds from all that is on the front."""
    problem = context.problem
    pool = context.pool[distinct(context.pool, context.seen)]
    pool = pool[problem.excess(pool) <= 0]
    if not len(pool):
        return pool
    axis = "madds" if "madds" in problem.objectives else next(iter(problem.cost_names), "")
    place = problem.values(pool)[axis] if axis else np.zeros(len(pool))
    front = problem.front(context.history)[0].genes
    taken = problem.values(front)[axis] if axis and len(front) else np.zeros(0)
    chosen = [int(np.argmin(context.predict(pool)[0]))]
    while len(chosen) < min(n, len(pool)):
        near = np.abs(place[:, None] - np.concatenate([taken, place[chosen]])).min(axis=1)
        near[chosen] = -1.0
        chosen.append(int(np.argmax(near)))
    return pool[chosen]


def choose_hypervolume(context: AcquisitionContext, n: int, rng: np.random.Generator) -> Genes:
    """(<= n, n_genes) that together are expected to add most hypervolume."""
    problem = context.problem
    front, F = problem.front(context.history)
    measure = Improvement(F[:, 0], F[:, 1:], rng, SAMPLES)
    seen, pool = context.seen, np.concatenate([context.pool, front.genes])
    accurate = ceil(EXPLOIT_SHARE * n) if set(problem.budget) & set(problem.cost_names) else 0
    chosen: list[Genes] = []
    while len(chosen) < n:
        kappa = KAPPAS[len(chosen) % len(KAPPAS)]
        gain = _accuracy(context, kappa) if len(chosen) < accurate else _volume(context, measure)
        found = _climb(context, gain, pool, seen, rng)
        if not len(found):
            break
        best = found[:1]
        chosen.append(best[0])
        seen.add(key(best[0]))
        measure.add(context.predict(best)[0][0], problem.costs(best)[0])
        pool = np.concatenate([pool, found[1:SHARED]])
    return np.array(chosen, np.int64).reshape(-1, problem.space.n_genes)


RULES = {"hypervolume": choose_hypervolume, "paper": choose_paper}


def _volume(context: AcquisitionContext, measure: Improvement) -> Gain:
    """Expected hypervolume that each network adds."""
    return lambda genes: measure.gain(*context.predict(genes), context.problem.costs(genes))


def _accuracy(context: AcquisitionContext, kappa: float) -> Gain:
    """Upper confidence bound of the score: mean plus `kappa` standard deviations."""

    def gain(genes: Genes) -> Floats:
        mean, std = context.predict(genes)
        return -mean if std is None else kappa * std - mean

    return gain


def _climb(context: AcquisitionContext, gain: Gain, pool: Genes, seen: set[bytes], rng: np.random.Generator) -> Genes:
    """Candidates not yet seen, best gain first, after a few steps of variation and selection from the pool."""
    problem = context.problem
    kept, gains = _ranked(context, gain, pool)
    if not len(kept):  # budgets that hardly any network keeps
        return kept
    for _ in range(STEPS if problem.candidates is None else 0):  # of a list, the pool is all there is
        children = vary(problem.space, kept, CHILDREN, rng)
        fresh, fresh_gains = _ranked(context, gain, children, limit=CHILDREN)
        kept, gains = np.concatenate([kept, fresh]), np.concatenate([gains, fresh_gains])
        unique = distinct(kept)
        order = unique[np.argsort(-gains[unique], kind="stable")[:PARENTS]]
        kept, gains = kept[order], gains[order]
    return kept[[known not in seen for known in keys(kept)]]


def _ranked(context: AcquisitionContext, gain: Gain, genes: Genes, limit: int = PARENTS) -> tuple[Genes, Floats]:
    """The best `limit` of those within budget, with their gains."""
    genes = genes[context.problem.excess(genes) <= 0]
    gains = gain(genes)
    order = np.argsort(-gains, kind="stable")[:limit]
    return genes[order], gains[order]
