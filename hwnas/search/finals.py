"""The networks of the front on all validation images, after a search that judged each on a part of them.

    evaluate.images = 200   the search: each network on the same 200, the variance known to the surrogate
    then                    the front by these values on all images, a committed row each; only these are offered

A run that is killed in between goes on with the networks that have no such row. What the search proposes never depends
on them: it sees the values that it saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hwnas.search.archive import OK, SUBSET, Evaluation
from hwnas.search.executors import Executor
from hwnas.search.front import front, undominated
from hwnas.search.limits import ends, surely_within
from hwnas.search.objectives import TOP1
from hwnas.search.run import Run
from profilers.progress import track


def missing(run: Run) -> list[Evaluation]:
    """Networks of the front that are still to be judged on all images; none where the search judged on all."""
    if run.config.subset is None:
        return []
    rows = run.archive.evaluations()
    judged = {row.number for row in rows if row.searched is not None}
    seen = [_as_searched(row) for row in rows]
    chosen = {row.number for row in (*front(run.problem, seen), *_guaranteed(run, seen))}
    return [row for row in rows if row.number in chosen - judged]


def judge(run: Run, executor: Executor) -> None:
    """Evaluate what is missing; the executor's source is of all images."""
    rows = missing(run)
    with track(len(rows), "front on all images") as progress:
        for outcome in executor.evaluate([row.arch for row in rows]):
            run.archive.add_final(rows[outcome.index].number, outcome)
            progress.advance()


def remark(rows: Sequence[Evaluation]) -> str:
    """What was judged on how many images, "" where all were on the same."""
    judged = [row for row in rows if row.searched is not None]
    part = next((row.searched.images for row in judged if row.searched), None)
    part = part or next((row.images for row in rows if row.status == SUBSET), None)
    if part is None:
        return ""
    line = f"the search judged {len(rows):,} networks on {part} images"
    whole = max((row.images or 0 for row in judged), default=0)
    return line + (f", then the {len(judged):,} of its front on all {whole}: only these are offered" if whole else "")


def offered(rows: Sequence[Evaluation]) -> list[Evaluation]:
    """The rows of which values are comparable: before anything is judged on all images all, then those that were."""
    whole = [row for row in rows if row.status != SUBSET]
    return whole if any(row.searched for row in rows) else list(rows)


def _as_searched(row: Evaluation) -> Evaluation:
    """What the search saw."""
    if row.searched is None:
        return replace(row, status=OK) if row.status == SUBSET else row
    return replace(row, status=OK, error=None, objectives={**row.objectives, TOP1: row.searched.top1})


def _guaranteed(run: Run, rows: Sequence[Evaluation]) -> list[Evaluation]:
    """The front of those whose intervals are within the run's budget: latencies may be above their predictions."""
    done = [row for row in rows if row.status == OK]
    genes, inside = np.array([row.genes for row in done], np.int64), np.ones(len(done), bool)
    for name, limit in run.problem.budget.items() if done else ():
        found = ends(run.space, genes, [float(row.objectives[name] or 0.0) for row in done], run.tables.get(name))
        inside &= surely_within(found, limit, run.problem.objectives[name].minimise)
    return undominated(run.problem, [row for row, within in zip(done, inside, strict=True) if within])
