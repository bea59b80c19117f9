"""The outer loop (paper, algorithm 1): propose, evaluate, record, until the budget of evaluations is spent.

What iteration k proposes depends only on the rows of the iterations before it, on the seed and on k; the proposal is
stored before the first of its networks is evaluated. So a run that was killed and resumed has the same rows as one that
was not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from hwnas.accuracy import Accuracy
from hwnas.search.archive import FAILED, OK, Evaluation, Proposed, history
from hwnas.search.executors import Executor, Outcome, Serial
from hwnas.search.front import may_be_chosen
from hwnas.search.kept_weights import drop_weights, kept_ids
from hwnas.search.metrics import iteration_metrics
from hwnas.search.run import Run
from hwnas.search.strategies import LISTED, Context, propose
from hwnas.space import Architecture
from profilers.progress import Progress, track


class _Rows:
    """A run's evaluations by number: read once, then appended to. Weights that nobody will choose go at once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._by_number = {row.number: row for row in run.archive.evaluations()}
        self.drop_weights()

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, row: Evaluation) -> None:
        """Commit a row."""
        self.run.archive.add_evaluation(row)
        self._by_number[row.number] = row
        self.drop_weights()

    def before(self, iteration: int) -> list[Evaluation]:
        """Those of the iterations before, in the order of the run."""
        return [row for _, row in sorted(self._by_number.items()) if row.iteration < iteration]

    def of(self, iteration: int) -> list[Evaluation]:
        """Those of one iteration, in the order of the run."""
        return [row for _, row in sorted(self._by_number.items()) if row.iteration == iteration]

    def drop_weights(self) -> None:
        """Remove the weights of evaluated networks that nobody will choose."""
        kept = kept_ids(self.run.folder)
        if not kept:
            return
        rows = list(self._by_number.values())
        wanted = {row.arch.id for row in may_be_chosen(self.run.problem, rows, self.run.tables)}
        drop_weights(self.run.folder, kept & {row.arch.id for row in rows} - wanted)


def search(run: Run, source: Accuracy | Executor) -> str:
    """Bring a run to its configured number of iterations; what it already has is kept.

    Returns why it ended before that, "" if it did not: the space may have no new network within the budget.

    Args:
        run: an open run.
        source: of accuracies, asked in this process; or an executor of `hwnas.search.executors`.
    """
    executor = source if isinstance(source, Executor) else Serial(source)
    settings, rows = run.config.search, _Rows(run)
    finished = {row["iteration"]: row for row in run.archive.iterations()}
    with track(settings.evaluations, "search", done=len(rows)) as progress:
        for k in range(settings.iterations + 1):
            if k in finished:
                continue
            if not (proposed := run.archive.proposal(k) or _propose(run, rows.before(k), k)):
                return f"ended before iteration {k}: {_exhausted(run, len(rows.before(k)))}"
            finished[k] = _iterate(run, rows, executor, k, proposed, progress)
            progress.note(f"iteration {k}, hypervolume {finished[k]['hypervolume']:.4f}")
    return ""


def _exhausted(run: Run, evaluated: int) -> str:
    limits = ", ".join(f"{n} {v:g}" for n, v in run.config.budget.items())
    within = f" within the budget ({limits})" if limits else ""
    if run.space.size <= LISTED:
        return f"all networks of the space{within} are evaluated, {evaluated} in all"
    return f"after {evaluated} networks no new one{within} was found"


def _iterate(
    run: Run, rows: _Rows, executor: Executor, k: int, proposed: Sequence[Proposed], progress: Progress
) -> dict[str, object]:
    """Evaluate what was proposed and has no row yet, then record the iteration's figures."""
    have = {row.number for row in rows.of(k)}
    missing = [item for item in proposed if item.number not in have]
    archs = run.space.decode(np.array([item.genes for item in missing], np.int64)) if missing else []
    for outcome in executor.evaluate(archs):
        rows.add(_row(run, k, missing[outcome.index], archs[outcome.index], outcome))
        progress.advance()
    found = rows.of(k)
    surrogate, seconds = run.archive.proposal_info(k)
    result = iteration_metrics(run.problem, history(rows.before(k + 1), run.space.n_genes), proposed, found)
    result |= {"surrogate": surrogate, "seconds_search": seconds, "seconds_evaluate": sum(e.seconds for e in found)}
    run.archive.add_iteration(k, result)
    return result


def _propose(run: Run, before: Sequence[Evaluation], k: int) -> list[Proposed]:
    """The iteration's networks, stored; none if there is no new one."""
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    rng = np.random.default_rng([run.config.seed, k])
    known, (last, _) = history(before, run.space.n_genes), run.archive.proposal_info(k - 1)
    with threadpool_limits(1):  # small matrices: threads cost more than they give, and sums depend on their number
        proposal = propose(Context(run.problem, run.config.search, known, k, last, rng, None if k else run.start))
    if not len(proposal.genes):
        return []
    mean, std = proposal.predicted or (None, None)
    seconds = time.perf_counter() - start
    run.archive.add_proposal(k, proposal.genes, mean, std, proposal.surrogate, seconds)
    return run.archive.proposal(k)


def _row(run: Run, k: int, item: Proposed, arch: Architecture, outcome: Outcome) -> Evaluation:
    looked_up = {name: float(values[0]) for name, values in run.problem.values(np.array([item.genes])).items()}
    objectives = {name: outcome.top1 if name == "top1" else looked_up[name] for name in run.problem.objectives}
    status = FAILED if outcome.error else OK
    return Evaluation(
        item.number, k, status, arch, item.genes, objectives, outcome.error, outcome.seconds, outcome.images
    )
