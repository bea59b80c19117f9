"""Which evaluated networks a page shows where there are very many: whatever may be chosen, and some of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.archive import OK, Evaluation
from hwnas.search.front import may_be_chosen
from hwnas.search.limits import ends, surely_within
from hwnas.search.run import Run

SHOWN = 5000  # networks; more are shown only where more may be chosen


@dataclass(frozen=True)
class LeftOut:
    """Networks that the page does not show, others dominate each: how many, how many initial, how many in budget."""

    networks: int = 0
    initial: int = 0
    within: int = 0


def thinned(
    run: Run, rows: Sequence[Evaluation], always: Collection[str] = (), limit: int = SHOWN
) -> tuple[list[Evaluation], LeftOut]:
    """At most `limit` evaluated networks in their order, all failures, and what is left out.

    Every network that may be chosen under some further limit stays, and those whose id is in `always`; of those that
    others dominate, evenly over the search.
    """
    done = [row for row in rows if row.status == OK]
    if len(done) <= limit:
        return list(rows), LeftOut()
    kept = {row.number for row in may_be_chosen(run.problem, done, run.tables)}
    kept |= {row.number for row in done if always and row.arch.id in always}
    rest = [row for row in done if row.number not in kept]
    kept |= {row.number for row in _spread(rest, limit - len(kept))}
    left = [row for row in rest if row.number not in kept]
    gone = LeftOut(len(left), sum(row.iteration == 0 for row in left), int(_within(run, left).sum()))
    return [row for row in rows if row.status != OK or row.number in kept], gone


def _spread(rows: Sequence[Evaluation], n: int) -> list[Evaluation]:
    """At most n of the rows, evenly spaced."""
    places = np.linspace(0, len(rows) - 1, min(max(n, 0), len(rows))).round().astype(int)
    return [rows[i] for i in np.unique(places)]


def _within(run: Run, rows: Sequence[Evaluation]) -> NDArray[np.bool_]:
    """(n,) whether networks keep the run's budgets at both ends of their intervals."""
    inside = np.ones(len(rows), bool)
    genes = np.array([row.genes for row in rows], np.int64)
    for name, limit in run.problem.budget.items():
        values = [float(row.objectives[name] or 0.0) for row in rows]
        found = ends(run.space, genes, values, run.tables.get(name))
        inside &= surely_within(found, limit, run.problem.objectives[name].minimise)
    return inside
