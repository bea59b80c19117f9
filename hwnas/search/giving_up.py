"""Evaluations that failed, by their reasons; and a search whose first ones fail, as most likely all would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hwnas.accuracy.unit import UnusableSource
from hwnas.search.executors import Outcome
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

    def add(self, outcome: Outcome) -> None:
        """Look at an answer; UnusableSource once it is clear that something is wrong with the source."""
        if len(self._answers) >= self._most:
            return
        self._answers.append(outcome.error)
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
