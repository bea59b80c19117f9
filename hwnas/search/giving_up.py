"""Evaluations that failed, by their reasons; and a search whose first ones fail, as most likely all would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hwnas.accuracy.unit import UnusableSource
from hwnas.search.problem import Problem
from profilers.outputs import FRESH
from profilers.printable import printable

ALL, MOST = 5, 20  # answers that all failed, and answers of which most did
LISTED = 3  # reasons
LONGEST = 120  # characters of a reason


class FirstAnswers:
    """The first answers of this call; of a run that is continued those from now on.

    Args:
        expected: answers that there will be at most in the first round.
        give_up: whether a search may be ended at all.
        before: answers that the run has already, beside which a few say little.
    """

    def __init__(self, expected: int, give_up: bool, before: int = 0) -> None:
        self._most = min(MOST, expected) if give_up and (expected >= ALL or not before) else 0
        self._answers: list[str | None] = []

    def add(self, error: str | None) -> None:
        """Look at what became of a network; UnusableSource once it is clear that something is wrong with the source."""
        if len(self._answers) >= self._most:
            return
        self._answers.append(error)
        count, reasons = len(self._answers), [error for error in self._answers if error is not None]
        everything = count == min(ALL, self._most) and len(reasons) == count
        most = count == self._most and 2 * len(reasons) > count
        if everything or most:
            raise UnusableSource(_said(reasons, count), "an accuracy of most networks", _REMEDY)


_REMEDY = f"mend it and begin anew with {FRESH}, or go on all the same with give_up = false in [executor]"


def _said(reasons: list[str], count: int) -> str:
    reason, times = Counter(reasons).most_common(1)[0]
    which = "" if times == len(reasons) else f", {times} of them so"
    return f"{len(reasons)} of the first {count} evaluations failed{which}: {printable(reason, LONGEST)}"


def failures(errors: Sequence[str | None]) -> list[str]:
    """Of evaluations' errors, a line that says how many there are, and a line for each of the most frequent reasons."""
    reasons = Counter(error for error in errors if error is not None)
    if not reasons:
        return []
    listed = [f"{times} x {printable(reason, LONGEST)}" for reason, times in reasons.most_common(LISTED)]
    more = f"{len(reasons) - LISTED} more reasons: hwnas archive RUN"
    head = f"{reasons.total()} of {len(errors)} evaluations failed:"
    return [head, *(f"  {line}" for line in [*listed, *([more] if len(reasons) > LISTED else [])])]


def without_value(problem: Problem) -> dict[str, Any]:
    """An iteration's figures of the networks that were left out since the last one; none where none was."""
    reasons = [f"{name}: {said}" for name, values in problem.functions.items() for said in values.failures()]
    if not reasons:
        return {}
    return {"left_out": len(reasons), "left_out_for": printable(Counter(reasons).most_common(1)[0][0], LONGEST)}


def left_out(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of a run's iterations, a line for networks that were considered and left out, for an objective had no value."""
    some = [row for row in figures if row.get("left_out")]
    if not some:
        return []
    count = sum(int(row["left_out"]) for row in some)
    reason, _ = Counter(str(row["left_out_for"]) for row in some).most_common(1)[0]
    networks = "1 network was" if count == 1 else f"{count:,} networks were"
    return [f"{networks} left out, for which an objective has no value: {printable(reason, LONGEST)}"]
