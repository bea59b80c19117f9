"""When a search has enough before its last iteration: section [search.stop].

Looked at after each iteration, from what the archive holds; so a run that was stopped is finished, and the same
configuration without the rule goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Interval

from profilers.constraints import Positive


@dataclass(frozen=True)
class Stop:
    """Section [search.stop]: each key that is given ends the search when it holds; none do by default."""

    stalled: Annotated[int, Interval(ge=1, le=10**6)] | None = None
    """Iterations in which the hypervolume has grown by less than `growth`."""
    growth: Annotated[float, Interval(gt=0, le=1)] = 0.001
    """The least growth that counts, as a share of the hypervolume."""
    seconds: Positive | None = None
    """Time that the finished iterations took, proposals and evaluations, in all calls."""
    top1: Annotated[float, Interval(ge=2, le=100)] | None = None
    """Accuracy that suffices, in percent, of a network within the budget."""

    def __post_init__(self) -> None:
        from profilers.validation import check_fields

        check_fields(self)


def reason(stop: Stop, figures: Sequence[Mapping[str, Any]], best: float) -> str:
    """Why the search has enough after the iterations of these `figures`, "" if it has not.

    Args:
        stop: the rules.
        figures: of the finished iterations, in order.
        best: top-1 of the best network within the budget so far, percent; NaN for none.
    """
    if not figures:
        return ""
    last = f"stopped after iteration {figures[-1]['iteration']}: "
    if stop.top1 is not None and best >= stop.top1:
        return f"{last}top1 {best:.2f} within the budget, {stop.top1:g} was wanted"
    if stop.seconds is not None and (spent := sum(row.get("seconds", 0.0) for row in figures)) >= stop.seconds:
        return f"{last}{spent:.0f} s, {stop.seconds:g} were allowed"
    if stop.stalled is not None and len(figures) > stop.stalled:
        before, now = (float(figures[i]["hypervolume"]) for i in (-1 - stop.stalled, -1))
        if now - before < stop.growth * max(now, 1e-12):
            return f"{last}in {stop.stalled} iterations the hypervolume has grown from {before:.4f} to {now:.4f} only"
    return ""
