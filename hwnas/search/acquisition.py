"""Which candidates to evaluate (paper, algorithm 1, line 11).

    k candidates   m costs   mean, std (k,) predicted normalised loss and its uncertainty, costs (k, m)

`paper`: the most accurate, then one after another from the sparsest region of MAdds (section 3.3).
`hypervolume`: one after another what is expected to add most hypervolume to the archive and to the ones chosen before,
with a local search around the best candidates, because an inner search for a whole front is not precise at any place.
Under a budget of a cost, three in four are what may be the most accurate within it: there the front ends at the
reference, where a network adds no volume, and it is the network that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwnas.search.improvement import Improvement
from hwnas.search.operators import distinct, key, vary
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
WANTED = 0.75  # share of a batch, and of the first networks, for the most accurate one within a budget
DEVIATIONS = (0.0, 1.0, 2.0)  # by turns; what more of them chose turned out worse (`tools.bench.search --budgets`)


@dataclass(frozen=True, eq=False)
class Question:
    """What a rule chooses from: `predict` gives normalised loss (mean, std) of genes, `pool` are the candidates."""

    problem: Problem
    history: History
    predict: Predict
    pool: Genes

    @property
    def seen(self) -> set[bytes]:
        """Networks evaluated before, failed ones included."""
        return {key(row) for row in self.history.genes}


def choose_paper(question: Question, n: int, rng: np.random.Generator) -> Genes:
    """(<= n, n_genes): the most accurate candidate, then those farthest in MAdds from all that is on the front."""
    problem = question.problem
    pool = question.pool[distinct(question.pool, question.seen)]
    pool = pool[problem.excess(pool) <= 0]
    if not len(pool):
        return pool
    axis = "madds" if "madds" in problem.objectives else next(iter(problem.cost_names), "")
    place = problem.values(pool)[axis] if axis else np.zeros(len(pool))
    front = problem.front(question.history)[0].genes
    taken = problem.values(front)[axis] if axis and len(front) else np.zeros(0)
    chosen = [int(np.argmin(question.predict(pool)[0]))]
    while len(chosen) < min(n, len(pool)):
        near = np.abs(place[:, None] - np.concatenate([taken, place[chosen]])).min(axis=1)
        near[chosen] = -1.0
        chosen.append(int(np.argmax(near)))
    return pool[chosen]


def choose_hypervolume(question: Question, n: int, rng: np.random.Generator) -> Genes:
    """(<= n, n_genes) that together are expected to add most hypervolume."""
    problem = question.problem
    front, F = problem.front(question.history)
    measure = Improvement(F[:, 0], F[:, 1:], rng, SAMPLES)
    seen, pool = question.seen, np.concatenate([question.pool, front.genes])
    accurate = ceil(WANTED * n) if set(problem.budget) & set(problem.cost_names) else 0
    chosen: list[Genes] = []
    while len(chosen) < n:
        bold = DEVIATIONS[len(chosen) % len(DEVIATIONS)]
        gain = _accuracy(question, bold) if len(chosen) < accurate else _volume(question, measure)
        found = _climb(question, gain, pool, seen, rng)
        if not len(found):
            break
        best = found[:1]
        chosen.append(best[0])
        seen.add(key(best[0]))
        measure.add(question.predict(best)[0][0], problem.costs(best)[0])
        pool = np.concatenate([pool, found[1:SHARED]])
    return np.array(chosen, np.int64).reshape(-1, problem.space.n_genes)


RULES = {"hypervolume": choose_hypervolume, "paper": choose_paper}


def _volume(question: Question, measure: Improvement) -> Gain:
    """Expected hypervolume that each network adds."""
    return lambda genes: measure.gain(*question.predict(genes), question.problem.costs(genes))


def _accuracy(question: Question, deviations: float) -> Gain:
    """Score that each network may have: its mean and so many standard deviations (upper confidence bound)."""

    def gain(genes: Genes) -> Floats:
        mean, std = question.predict(genes)
        return -mean if std is None else deviations * std - mean

    return gain


def _climb(question: Question, gain: Gain, pool: Genes, seen: set[bytes], rng: np.random.Generator) -> Genes:
    """Candidates not yet seen, best gain first, after a few steps of variation and selection from the pool."""
    problem = question.problem
    kept, gains = _ranked(question, gain, pool)
    for _ in range(STEPS):
        children = vary(problem.space, kept, CHILDREN, rng)
        fresh, fresh_gains = _ranked(question, gain, children, limit=CHILDREN)
        kept, gains = np.concatenate([kept, fresh]), np.concatenate([gains, fresh_gains])
        unique = distinct(kept)
        order = unique[np.argsort(-gains[unique], kind="stable")[:PARENTS]]
        kept, gains = kept[order], gains[order]
    return kept[[key(row) not in seen for row in kept]]


def _ranked(question: Question, gain: Gain, genes: Genes, limit: int = PARENTS) -> tuple[Genes, Floats]:
    """The best `limit` of those within budget, with their gains."""
    genes = genes[question.problem.excess(genes) <= 0]
    gains = gain(genes)
    order = np.argsort(-gains, kind="stable")[:limit]
    return genes[order], gains[order]
