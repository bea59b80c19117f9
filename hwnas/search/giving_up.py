"""A search whose first evaluations fail: most likely all would, and it ends with the commonest reason."""

from __future__ import annotations

from collections import Counter

from hwnas.accuracy.unit import UnusableSource
from hwnas.search.executors import Outcome
from profilers.outputs import FRESH

ALL, MOST = 5, 20  # answers that all failed, and answers of which most did
LONGEST = 160  # characters of a reason


class FirstAnswers:
    """The first answers of this call; of a run that is continued those from now on.

    Args:
        expected: answers that there will be at most in the first round.
        give_up: whether a search may be ended at all.
    """

    def __init__(self, expected: int, give_up: bool) -> None:
        self._most = min(MOST, expected) if give_up else 0
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
    short = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
    return f"{len(reasons)} of the first {count} evaluations failed, {times} of them so: {short}"
