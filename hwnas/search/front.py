"""The front of a run: evaluated networks that no other one dominates, by what its rows say.

n networks   m searched objectives   F (n, m) to be minimised: what is maximised is negated
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.search.archive import OK, Evaluation
from hwnas.search.hypervolume import nondominated
from hwnas.search.limits import beyond, ends
from hwnas.search.objectives import TOP1
from hwnas.search.problem import Problem
from hwnas.space import Genes
from lut import LatencyTable

Floats = NDArray[np.float64]
_BLOCK = 256  # networks that are compared at once


def front(problem: Problem, rows: Sequence[Evaluation]) -> list[Evaluation]:
    """The nondominated evaluations within the run's own budget; empty if none is."""
    return undominated(problem, [row for row in rows if row.status == OK and not misses(problem, row, problem.budget)])


def undominated(problem: Problem, rows: Sequence[Evaluation]) -> list[Evaluation]:
    """Those of evaluated networks that none of them dominates in the searched objectives, in order."""
    if not rows:
        return []
    keep = nondominated(minimised(problem, rows))
    return [row for row, kept in zip(rows, keep, strict=True) if kept]


def minimised(problem: Problem, rows: Sequence[Evaluation]) -> Floats:
    """(n, m) of evaluated networks; under [scalarise] the scalarised score is the only column."""
    if problem.scalarise is not None:
        top1 = np.array([row.objectives[TOP1] for row in rows], float)
        return -problem.score(top1, _genes(rows))[:, None]
    sign = np.array([1.0 if problem.objectives[name].minimise else -1.0 for name in problem.names])
    values = np.array([[row.objectives[name] for name in problem.names] for row in rows], float)
    return np.asarray(values * sign)


def misses(problem: Problem, row: Evaluation, budget: Mapping[str, float]) -> dict[str, float]:
    """By how much (relative) an evaluated network misses each limit that it misses."""
    found = {}
    for name, limit in budget.items():
        value = row.objectives[name]
        assert value is not None  # only evaluated rows
        relative = (value / limit - 1) * (1 if problem.objectives[name].minimise else -1)
        if relative > 0:
            found[name] = relative
    return found


def may_be_chosen(problem: Problem, rows: Sequence[Evaluation], tables: Mapping[str, LatencyTable]) -> list[Evaluation]:
    """Every network that `hwnas.select` may choose, under whatever further limit and whatever is measured for it.

    A network is out if it surely breaks the run's own budget, or if another one dominates it whose every interval lies
    on the better side of its own: the other then keeps whatever limit this one keeps. Wide intervals keep more than
    the front.
    """
    done = [row for row in rows if row.status == OK]
    if not done:
        return []
    intervals = _intervals(problem, done, tables)
    possible = np.ones(len(done), bool)
    for name, limit in problem.budget.items():
        minimise = problem.objectives[name].minimise
        possible &= ~beyond(intervals[name][:, 0 if minimise else 2], limit, minimise)
    better, worse = _sides(problem, intervals)
    beaten = _beaten(better, worse, minimised(problem, done))
    return [row for row, may, out in zip(done, possible, beaten, strict=True) if may and not out]


def _beaten(better: Floats, worse: Floats, F: Floats) -> NDArray[np.bool_]:
    """(n,) whether another network is surely at least as good in everything, and better in a searched objective.

    Whoever beats a network comes before it in the lexicographic order of the worse ends, and nobody beats only what is
    itself beaten; so blocks in that order are compared with what is unbeaten before them.
    """
    order = np.lexsort(np.concatenate([worse, F], axis=1).T[::-1])
    unbeaten = np.zeros(len(F), bool)
    for start in range(0, len(F), _BLOCK):
        block = order[start : start + _BLOCK]
        for others in (order[:start][unbeaten[order[:start]]], block):
            block = block[~_beaten_by(block, others, better, worse, F)]
        unbeaten[block] = True
    return ~unbeaten


def _beaten_by(
    these: NDArray[np.intp], others: NDArray[np.intp], better: Floats, worse: Floats, F: Floats
) -> NDArray[np.bool_]:
    """(these,) whether one of the others beats them."""
    least = np.full((len(these), len(others)), True)
    for mine, theirs in zip(better[these].T, worse[others].T, strict=True):
        least &= theirs <= mine[:, None]
    more = np.full(least.shape, False)
    for mine, theirs in zip(F[these].T, F[others].T, strict=True):
        more |= theirs < mine[:, None]
    return np.asarray((least & more).any(axis=1))


def _intervals(problem: Problem, rows: Sequence[Evaluation], tables: Mapping[str, LatencyTable]) -> dict[str, Floats]:
    """(n, 3) of every objective: low, value, high."""
    genes = _genes(rows)
    values = {name: [float(row.objectives[name] or 0.0) for row in rows] for name in problem.objectives}
    return {name: ends(problem.space, genes, found, tables.get(name)) for name, found in values.items()}


def _sides(problem: Problem, intervals: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """(n, objectives) the better and the worse end of every interval, both to be minimised."""
    signed = [x[:, [0, 2]] if problem.objectives[name].minimise else -x[:, [2, 0]] for name, x in intervals.items()]
    return np.stack([x[:, 0] for x in signed], axis=1), np.stack([x[:, 1] for x in signed], axis=1)


def _genes(rows: Sequence[Evaluation]) -> Genes:
    return np.array([row.genes for row in rows], np.int64)
