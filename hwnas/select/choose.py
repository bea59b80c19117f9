"""Which of the networks that keep the budgets are chosen: by preference, by knee, or spread over their front.

    n networks on the front   m objectives   F (n, m) minimised, 0 and 1 at the front's own best and worst

Only evaluated networks that no other one dominates are chosen from. Which networks keep a budget is decided by
`hwnas.select.guaranteed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.archive import OK, SUBSET, Evaluation
from hwnas.search.front import minimised, misses, undominated
from hwnas.search.objectives import TOP1
from hwnas.search.problem import Problem
from hwnas.space.arch_lines import stated
from profilers.errors import BadInput

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """A chosen network, and why it was chosen."""

    evaluation: Evaluation
    why: str

    def to_json(self, problem: Problem) -> dict[str, Any]:
        """With how each value was obtained."""
        row = self.evaluation
        values = {name: value for name, value in row.objectives.items() if name in problem.objectives}
        obtained = {name: problem.objectives[name].obtained for name in values}
        low, high = row.top1_interval or (None, None)
        return {
            "id": row.arch.id,
            **stated(row.arch, problem.space),
            "objectives": values,
            "obtained": obtained,
            "iteration": row.iteration,
            "why": self.why,
            "images": row.images,
            "top1_low": low,
            "top1_high": high,
        }


def select_by_prediction(
    problem: Problem,
    rows: Sequence[Evaluation],
    *,
    budget: Mapping[str, float] | None = None,
    prefer: Mapping[str, float] | None = None,
    knee: bool = False,
    n: int = 4,
) -> list[Choice]:
    """At most n networks of the front of those whose values, points of their intervals, are within budget.

    Raises:
        BadInput: n below 1, both `prefer` and `knee`, or no network within the budget (says the nearest miss).
    """
    check_choice(n, prefer, knee)
    inside = within(problem, rows, {**problem.budget, **(budget or {})})
    return choose(problem, inside, prefer=prefer, knee=knee, n=n)


def check_choice(n: int, prefer: Mapping[str, float] | None, knee: bool) -> None:
    """BadInput: n below 1, or both `prefer` and `knee`."""
    if n < 1 or (prefer and knee):
        raise BadInput(
            f"-n {n}" if n < 1 else "both --prefer and --knee", "-n of 1 or more" if n < 1 else "one of them"
        )


def check_finished(rows: Sequence[Evaluation]) -> None:
    """BadInput where networks have been judged on a part of the images alone: none is offered yet."""
    status = {row.status for row in rows}
    if SUBSET in status and OK not in status:
        got = "no network of this run has been judged on all images yet"
        raise BadInput(got, "a search that has ended", "the same hwnas search once more, which goes on")


def choose(
    problem: Problem,
    rows: Sequence[Evaluation],
    *,
    prefer: Mapping[str, float] | None = None,
    knee: bool = False,
    n: int = 4,
) -> list[Choice]:
    """At most n of the front of evaluated networks (one or more), all of which keep the budgets.

    With `prefer` the nearest to the wish (least of the largest relative shortfall), with `knee` those that are cheapest
    in all objectives together, else the most accurate one and then the ones farthest from those already chosen.
    """
    best = undominated(problem, rows)
    F = _unit(minimised(problem, best))
    if prefer:
        order, why = _by_preference(best, problem, prefer), "preference"
    elif knee:
        order, why = np.argsort(F.sum(axis=1), kind="stable"), "knee"
    else:
        order, why = _spread(F, problem.names.index(TOP1), n), "spread"
    chosen = [Choice(best[i], why) for i in order[:n]]
    if why == "spread":
        chosen[0] = Choice(chosen[0].evaluation, "most accurate")
    return chosen


def within(problem: Problem, rows: Sequence[Evaluation], budget: Mapping[str, float]) -> list[Evaluation]:
    """The evaluated networks that keep limits by their values; BadInput if none does (says the nearest miss)."""
    done = [row for row in rows if row.status == OK]
    inside = [row for row in done if not misses(problem, row, budget)]
    if inside:
        return inside
    limits = ", ".join(f"{name} {limit:g}" for name, limit in budget.items())
    if not done:
        raise BadInput("no network of this run could be evaluated", remedy="hwnas archive RUN shows why")
    nearest = min(done, key=lambda row: sum(misses(problem, row, budget).values()))
    has = ", ".join(f"{name} {nearest.objectives[name]:g}" for name in budget)
    raise BadInput(
        f"no network of this run is within {limits}", f"nearest: {has}", "a larger budget, or a search under it"
    )


def _unit(F: Floats) -> Floats:
    span = F.max(axis=0) - F.min(axis=0)
    return np.asarray((F - F.min(axis=0)) / np.where(span > 0, span, 1.0))


def _by_preference(rows: Sequence[Evaluation], problem: Problem, prefer: Mapping[str, float]) -> NDArray[np.intp]:
    """Order by the achievement scalarising function: the worst shortfall, ties by the sum of shortfalls."""
    names = list(prefer)
    sign = np.array([1.0 if problem.objectives[name].minimise else -1.0 for name in names])
    values = np.array([[row.objectives[name] for name in names] for row in rows], float)
    wish = np.array([prefer[name] for name in names])
    span = np.ptp(values, axis=0)
    short = sign * (values - wish) / np.where(span > 0, span, 1.0)
    return np.argsort(short.max(axis=1) + 1e-3 * short.sum(axis=1), kind="stable")


def _spread(F: Floats, accuracy: int, n: int) -> NDArray[np.intp]:
    """The most accurate, then farthest points."""
    chosen = [int(np.argmin(F[:, accuracy if F.shape[1] > 1 else 0]))]
    while len(chosen) < min(n, len(F)):
        distance = np.linalg.norm(F[:, None] - F[chosen], axis=2).min(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(np.argmax(distance)))
    return np.array(chosen)
