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
from hwnas.search.archive import FAILED, OK, Evaluation, Proposed
from hwnas.search.config import SearchSettings
from hwnas.search.executors import Executor, Outcome, Serial
from hwnas.search.kept import drop_dominated
from hwnas.search.metrics import iteration_metrics
from hwnas.search.run import Run
from hwnas.search.strategies import LISTED, Context, propose
from hwnas.space import Architecture
from profilers.progress import Progress, track


def search(run: Run, source: Accuracy | Executor) -> str:
    """Bring a run to its configured number of iterations; what it already has is kept.

    Returns why it ended before that, "" if it did not: the space may have no new network within the budget.

    Args:
        run: an open run.
        source: of accuracies, asked in this process; or an executor of `hwnas.search.executors`.
    """
    executor = source if isinstance(source, Executor) else Serial(source)
    settings = run.config.search
    drop_dominated(run)
    done = len(run.archive.evaluations())
    finished = {row["iteration"]: row for row in run.archive.iterations()}
    with track(settings.evaluations, "search", done=done) as progress:
        for k in range(settings.iterations + 1):
            if k in finished:
                continue
            if not (proposed := run.archive.proposal(k) or _propose(run, k, settings)):
                return f"ended before iteration {k}: {_exhausted(run, k)}"
            finished[k] = _iterate(run, executor, k, proposed, progress)
            progress.note(f"iteration {k}, hypervolume {finished[k]['hypervolume']:.4f}")
    return ""


def _exhausted(run: Run, k: int) -> str:
    evaluated, limits = len(run.archive.evaluations(k)), ", ".join(f"{n} {v:g}" for n, v in run.config.budget.items())
    within = f" within the budget ({limits})" if limits else ""
    if run.space.size <= LISTED:
        return f"all networks of the space{within} are evaluated, {evaluated} in all"
    return f"after {evaluated} networks no new one{within} was found"


def _iterate(
    run: Run, executor: Executor, k: int, proposed: Sequence[Proposed], progress: Progress
) -> dict[str, object]:
    archive = run.archive
    have = {e.number for e in archive.evaluations() if e.iteration == k}
    missing = [item for item in proposed if item.number not in have]
    archs = run.space.decode(np.array([item.genes for item in missing], np.int64)) if missing else []
    for outcome in executor.evaluate(archs):
        archive.add_evaluation(_row(run, k, missing[outcome.index], archs[outcome.index], outcome))
        drop_dominated(run)
        progress.advance()
    rows = [e for e in archive.evaluations() if e.iteration == k]
    surrogate, seconds = archive.proposal_info(k)
    result = iteration_metrics(run.problem, archive.history(run.space.n_genes, k + 1), proposed, rows)
    result |= {"surrogate": surrogate, "seconds_search": seconds, "seconds_evaluate": sum(e.seconds for e in rows)}
    archive.add_iteration(k, result)
    return result


def _propose(run: Run, k: int, settings: SearchSettings) -> list[Proposed]:
    """The iteration's networks, stored; none if there is no new one."""
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    rng = np.random.default_rng([run.config.seed, k])
    history = run.archive.history(run.space.n_genes, k)
    last, _ = run.archive.proposal_info(k - 1)
    with threadpool_limits(1):  # small matrices: threads cost more than they give, and sums depend on their number
        proposal = propose(Context(run.problem, settings, history, k, last, rng, None if k else run.start))
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
