"""The outer loop (paper, algorithm 1): propose, evaluate, record, until the budget of evaluations is spent.

What iteration k proposes depends only on the rows of the iterations before it, on the seed and on k; the proposal is
stored before the first of its networks is evaluated. So a run that was killed and resumed has the same rows as one that
was not.
"""

from __future__ import annotations

import math
import time

import numpy as np

from hwnas.accuracy import Accuracy
from hwnas.search.archive import FAILED, OK, Evaluation, Proposed
from hwnas.search.config import SearchSettings
from hwnas.search.figures import figures
from hwnas.search.run import Run
from hwnas.search.strategies import Context, propose
from profilers.errors import BadInput
from profilers.progress import Progress, track


def search(run: Run, accuracy: Accuracy) -> None:
    """Bring a run to its configured number of iterations; what it already has is kept."""
    settings = run.config.search
    done = len(run.archive.evaluations())
    finished = {row["iteration"]: row for row in run.archive.iterations()}
    with track(settings.evaluations, "search", done=done) as progress:
        for k in range(settings.iterations + 1):
            if k not in finished:
                finished[k] = _iterate(run, accuracy, k, settings, progress)
                progress.note(f"iteration {k}, hypervolume {finished[k]['hypervolume']:.4f}")


def _iterate(run: Run, accuracy: Accuracy, k: int, settings: SearchSettings, progress: Progress) -> dict[str, object]:
    archive = run.archive
    proposed = archive.proposal(k) or _propose(run, k, settings)
    have = {e.number for e in archive.evaluations() if e.iteration == k}
    for item in proposed:
        if item.number not in have:
            archive.add_evaluation(_evaluate(run, accuracy, k, item))
            progress.advance()
    rows = [e for e in archive.evaluations() if e.iteration == k]
    surrogate, seconds = archive.proposal_info(k)
    result = figures(run.problem, archive.history(run.space.n_genes, k + 1), proposed, rows)
    result |= {"surrogate": surrogate, "seconds_search": seconds, "seconds_evaluate": sum(e.seconds for e in rows)}
    archive.add_iteration(k, result)
    return result


def _propose(run: Run, k: int, settings: SearchSettings) -> list[Proposed]:
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    rng = np.random.default_rng([run.config.seed, k])
    history = run.archive.history(run.space.n_genes, k)
    last, _ = run.archive.proposal_info(k - 1)
    with threadpool_limits(1):  # small matrices: threads cost more than they give, and sums depend on their number
        proposal = propose(Context(run.problem, settings, history, k, last, rng, None if k else run.start))
    if not len(proposal.genes):
        raise BadInput(f"after {len(history)} networks the space has no new one within the budget",
                       "a larger budget or space", "fewer search.iterations")  # fmt: skip
    mean, std = proposal.predicted or (None, None)
    seconds = time.perf_counter() - start
    run.archive.add_proposal(k, proposal.genes, mean, std, proposal.surrogate, seconds)
    return run.archive.proposal(k)


def _evaluate(run: Run, accuracy: Accuracy, k: int, item: Proposed) -> Evaluation:
    start = time.perf_counter()
    genes = np.array([item.genes], np.int64)
    (arch,) = run.space.decode(genes)
    error, top1 = None, None
    try:
        top1 = _percentage(accuracy.evaluate(arch))
    except Exception as problem:  # a network that cannot be evaluated is a failure of that network, with its reason
        error = f"{type(problem).__name__}: {problem}"
    looked_up = {name: float(values[0]) for name, values in run.problem.values(genes).items()}
    objectives = {name: top1 if name == "top1" else looked_up[name] for name in run.problem.objectives}
    seconds = time.perf_counter() - start
    return Evaluation(item.number, k, FAILED if error else OK, arch, item.genes, objectives, error, seconds)


def _percentage(value: float) -> float:
    if not math.isfinite(value) or not 0 <= value <= 100:
        raise BadInput(f"an accuracy of {value}", "a percentage from 0 to 100")
    return float(value)
