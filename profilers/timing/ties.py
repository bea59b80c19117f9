"""Which of several measured latencies differ, and which are ties: their intervals overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Interval(Protocol):
    """Anything with the two ends of an interval, such as a `Measurement`."""

    @property
    def low(self) -> float:
        """Lower end."""

    @property
    def high(self) -> float:
        """Upper end."""


class Ends(NamedTuple):
    """An interval that is nothing else."""

    low: float
    high: float


class Place(NamedTuple):
    """A rank from 1, and whether others are not told apart from it; shown as in "2=".

    >>> str(Place(2, True))
    '2='
    """

    rank: int
    tied: bool

    def __str__(self) -> str:
        return f"{self.rank}{'=' if self.tied else ''}"


def tied(a: Interval, b: Interval) -> bool:
    """Whether the difference of two lies within their intervals."""
    return a.low <= b.high and b.low <= a.high


def places(found: Sequence[Interval]) -> list[Place]:
    """The rank of each: one more than the number of those that are surely quicker.

    Overlap does not pass on: of three in a row the outer two may differ while both tie with the one between.
    """
    return [
        Place(1 + sum(other.high < one.low for other in found), sum(tied(one, other) for other in found) > 1)
        for one in found
    ]
