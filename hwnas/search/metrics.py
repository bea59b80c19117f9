"""What is recorded of an iteration: the front's hypervolume, and how well the surrogate knew the networks new to it.

Quality is always measured on networks that were predicted before they were evaluated (Lu et al.'s reference code mixes
in those that its interpolator was fitted to, which inflates the correlation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwnas.search.archive import Evaluation, Proposed
from hwnas.search.hypervolume import hypervolume
from hwnas.search.operators import key
from hwnas.search.problem import History, Problem
from profilers.rank_correlation import kendall, spearman


def iteration_metrics(
    problem: Problem, history: History, proposed: Sequence[Proposed], rows: Sequence[Evaluation]
) -> dict[str, Any]:
    """Metrics after an iteration; `history` includes its `rows`, which were `proposed`.

    optimism: mean of predicted minus evaluated top-1, in points. dominated: share of the new networks that others
    dominate, once evaluated. Those that need a surrogate are None without one.
    """
    pairs = [
        (p.predicted, e.objectives["top1"])
        for p, e in zip(proposed, rows, strict=True)
        if p.predicted is not None and e.objectives["top1"] is not None
    ]
    front, F = problem.front(history)
    return {
        "evaluations": len(history),
        "failed": len(history) - len(history.done),
        "hypervolume": hypervolume(F),
        "dominated": _dominated(front, history, len(rows)),
        **_quality(np.array(pairs, float).reshape(-1, 2)),
    }


def _quality(pairs: Any) -> dict[str, float | None]:
    predicted, true = pairs.T
    if not len(predicted):
        return dict.fromkeys(("rmse", "spearman", "kendall", "optimism"))
    ranks = len(predicted) > 1 and np.ptp(predicted) > 0 and np.ptp(true) > 0
    return {
        "rmse": float(np.sqrt(np.mean((predicted - true) ** 2))),
        "spearman": spearman(predicted, true) if ranks else None,
        "kendall": kendall(predicted, true) if ranks else None,
        "optimism": float(np.mean(predicted - true)),
    }


def _dominated(front: History, history: History, new: int) -> float:
    """Of the `new` last rows; failures and networks over budget count as dominated."""
    best = {key(row) for row in front.genes}
    return float(np.mean([key(row) not in best for row in history.genes[-new:]])) if new else 0.0
