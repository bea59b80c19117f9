"""A search among given networks: those of a table of accuracies, and no others.

    k networks of the list (`Problem.candidates`)   n wanted   genes (n, n_genes)

A network that is drawn as in any search stands for the nearest one of the list: in most genes alike, new, and within
the budget. Of a surrogate's candidates there is no search, since all of the list can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hwnas.search.operators import distinct, keys
from hwnas.search.problem import Problem
from hwnas.space import Genes

LOOKED_AT = 5_000  # networks of a longer list, at random, that one iteration chooses from
Draw = Callable[[int, np.random.Generator], Genes]


def fresh(problem: Problem, seen: set[bytes], rng: np.random.Generator) -> Genes:
    """At most `LOOKED_AT` networks of the list that are new and within budget, in random order."""
    listed = _listed(problem)
    new = np.array([known not in seen for known in keys(listed)], bool) & (problem.excess(listed) <= 0)
    return np.asarray(rng.permutation(listed[new])[:LOOKED_AT])


def fill(problem: Problem, seen: set[bytes], start: Genes, n: int, draw: Draw, rng: np.random.Generator) -> Genes:
    """`start`, then the networks nearest to what is drawn, then any: n in all, fewer if the list has no more."""
    found = start[distinct(start, seen)[:n]]
    rest = fresh(problem, seen | set(keys(found)), rng)
    if len(rest) and len(found) < n:
        found = np.concatenate([found, _nearest(problem, seen, rest, draw(n, rng)), rest])
    return found[distinct(found, seen)[:n]]


def sample(problem: Problem, n: int, rng: np.random.Generator) -> Genes:
    """(n, n_genes) of the list, each as likely as any other."""
    listed = _listed(problem)
    return np.asarray(listed[rng.integers(len(listed), size=n)])


def _nearest(problem: Problem, seen: set[bytes], rest: Genes, drawn: Genes) -> Genes:
    """Of the `rest`, the nearest to each that is drawn, but not to one that was seen: any may take its place."""
    drawn = drawn[problem.excess(drawn) <= 0]
    drawn = drawn[[known not in seen for known in keys(drawn)]]
    return np.asarray(rest[[int((rest != row).sum(axis=1).argmin()) for row in drawn]])


def _listed(problem: Problem) -> Genes:
    assert problem.candidates is not None  # whoever asks has looked
    return problem.candidates
