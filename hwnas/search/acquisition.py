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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.improvement import Improvement
from hwnas.search.operators import distinct, key, keys, vary
from hwnas.search.problem import History, Problem
from hwnas.space import Genes

Floats = NDArray[np.float64]
Predict = Callable[[Genes], tuple[Floats, Floats | None]]

SAMPLES = 2048  # points at which the hypervolume is integrated over the costs
PARENTS = 24  # candidates that each step of the local search keeps
CHILDREN = 96  # and how many it makes of them
STEPS = 8
LATER_STEPS = 5  # where the search before climbed by nearly the same measure
SETTLED = 400  # evaluations from which on a batch changes the surrogate so little that half the steps serve
SHARED = 10  # best candidates of one search that the next one starts from
EXPLOIT_SHARE = 0.75  # of a batch, and of the initial networks, that goes for accuracy within a budget
KAPPAS = (
    0.0,
    1.0,
    2.0,
)  # of the upper confidence bound, in turn; larger ones did worse (`tools.bench.search --budgets`)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Networks within the budgets: genes (k, n_genes), predicted loss mean, std (k,), costs (k, m)."""

    genes: Genes
    mean: Floats
    std: Floats | None
    costs: Floats

    def __len__(self) -> int:
        return len(self.genes)

    def __getitem__(self, rows: slice | NDArray[Any]) -> Candidates:
        std = None if self.std is None else self.std[rows]
        return Candidates(self.genes[rows], self.mean[rows], std, self.costs[rows])

    def __add__(self, other: Candidates) -> Candidates:
        if not (len(self) and len(other)):
            return self if len(self) else other
        std = None if self.std is None or other.std is None else np.concatenate([self.std, other.std])
        parts = ((a, b) for a, b in zip(self._columns, other._columns, strict=True))
        genes, mean, costs = (np.concatenate(pair) for pair in parts)
        return Candidates(genes, mean, std, costs)

    @property
    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.genes, self.mean, self.costs


Gain = Callable[[Candidates], Floats]


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

    def candidates(self, genes: Genes) -> Candidates:
        """Those of (k, n_genes) that keep the budgets, with all that is predicted and looked up of them."""
        genes = genes[self.problem.excess(genes) <= 0]
        if not len(genes):
            return Candidates(genes, np.zeros(0), None, np.zeros((0, len(self.problem.cost_names))))
        return Candidates(genes, *self.predict(genes), self.problem.costs(genes))


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
    seen, pool = context.seen, context.candidates(np.concatenate([context.pool, front.genes]))
    accurate = ceil(EXPLOIT_SHARE * n) if set(problem.budget) & set(problem.cost_names) else 0
    first, later = (STEPS, LATER_STEPS) if len(context.history) <= SETTLED else (STEPS // 2, LATER_STEPS // 2)
    chosen: list[Genes] = []
    while len(chosen) < n:
        kappa = KAPPAS[len(chosen) % len(KAPPAS)]
        gain = _accuracy(kappa) if len(chosen) < accurate else _volume(measure)
        found = _climb(context, gain, pool, rng, later if len(chosen) > accurate else first)
        found = found[np.array([known not in seen for known in keys(found.genes)], bool)]
        if not len(found):
            break
        chosen.append(found.genes[0])
        seen.add(key(found.genes[0]))
        measure.add(found.mean[0], found.costs[0])
        pool = pool + found[1:SHARED]
    return np.array(chosen, np.int64).reshape(-1, problem.space.n_genes)


RULES = {"hypervolume": choose_hypervolume, "paper": choose_paper}


def _volume(measure: Improvement) -> Gain:
    """Expected hypervolume that each network adds."""
    return lambda found: measure.gain(found.mean, found.std, found.costs)


def _accuracy(kappa: float) -> Gain:
    """Upper confidence bound of the score: mean plus `kappa` standard deviations."""
    return lambda found: -found.mean if found.std is None else kappa * found.std - found.mean


def _climb(
    context: AcquisitionContext, gain: Gain, pool: Candidates, rng: np.random.Generator, steps: int
) -> Candidates:
    """Candidates, best gain first, after a few steps of variation and selection from the pool."""
    kept, gains = _best(pool, gain(pool))
    if not len(kept):  # budgets that hardly any network keeps
        return kept
    for _ in range(steps if context.problem.candidates is None else 0):  # of a list, the pool is all there is
        fresh = context.candidates(vary(context.problem.space, kept.genes, CHILDREN, rng))
        kept, gains = _best(kept + fresh, np.concatenate([gains, gain(fresh)]))
    return kept


def _best(found: Candidates, gains: Floats) -> tuple[Candidates, Floats]:
    """The best distinct ones with their gains."""
    unique = distinct(found.genes)
    order = unique[np.argsort(-gains[unique], kind="stable")[:PARENTS]]
    return found[order], gains[order]
