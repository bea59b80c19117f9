"""How far an accuracy over few images can be trusted: Wilson's 95 % interval, and Newcombe's of differences.

Sources: Wilson (1927), see `profilers.proportions`; Newcombe (1998), "Interval estimation for the difference between
independent proportions", method 10, and "Improved confidence intervals for the difference between binomial proportions
based on paired data", method 10.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.proportions import wilson

__all__ = ["MANY", "Drop", "alike", "binomial_variance", "drop", "optimistic", "wilson"]

MANY = 10  # networks that cannot be told from the best: it is then the luckiest of them


def binomial_variance(top1: float, images: int) -> float:
    """Of a top-1 in percent, in squared points; 0 % and 100 % of few images are not certain (Agresti and Coull)."""
    p, n = (top1 / 100 * images + 2) / (images + 4), images + 4
    return 1e4 * p * (1 - p) / n


def alike(best: float, top1: float, images: int | None) -> bool:
    """Whether top-1 in percent over so many images each cannot be told from the best; equal values always."""
    if images is None:
        return best == top1
    (low, _), (_, high) = wilson(best, images), wilson(top1, images)
    return best - top1 <= sqrt((best - low) ** 2 + (high - top1) ** 2)


def optimistic(top1: float, images: int | None, tied: int) -> str:
    """A line where the best of many networks was chosen on the same few images; "" where it was not."""
    if images is None or tied < MANY:
        return ""
    low, high = wilson(top1, images)
    return (
        f"top-1 {top1:.2f} % ({low:.1f} to {high:.1f}) is the best of {tied} networks that cannot be told apart on "
        f"the same {images} images: expect less on others"
    )


@dataclass(frozen=True)
class Drop:
    """Points of top-1 that a candidate loses against a reference on the same images, with its 95 % interval."""

    points: float
    """Points of top-1 that are lost."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""
    lost: int
    """Images that the reference alone gets right."""
    won: int
    """Images that the candidate alone gets right."""
    images: int
    """Images in all."""

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def decides(self, limit: float) -> bool:
        """Whether the images suffice to tell if it loses more than `limit` points."""
        return self.high <= limit or self.low > limit

    def __str__(self) -> str:
        return f"{self.points:.2f} points ({self.low:.2f} to {self.high:.2f})"


def drop(reference: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> Drop:
    """From whether each answered rightly, (n,) each, on the same images."""
    n = len(reference)
    both, lost = int((reference & candidate).sum()), int((reference & ~candidate).sum())
    won, none = int((~reference & candidate).sum()), int((~reference & ~candidate).sum())
    p1, p2 = (both + lost) / n, (both + won) / n
    (l1, u1), (l2, u2) = ((x / 100 for x in wilson(100 * p, n)) for p in (p1, p2))
    phi = _correlation(both, lost, won, none)
    below = (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2
    above = (u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2
    points = p1 - p2
    low, high = points - sqrt(max(below, 0.0)), points + sqrt(max(above, 0.0))
    return Drop(100 * points, 100 * low, 100 * high, lost, won, n)


def _correlation(both: int, lost: int, won: int, none: int) -> float:
    """Of the two answers, with Newcombe's correction for continuity; 0 where one of them never varies."""
    product = (both + lost) * (won + none) * (both + won) * (lost + none)
    if product == 0:
        return 0.0
    excess = both * none - lost * won
    n = both + lost + won + none
    return (max(excess - n / 2, 0.0) if excess > 0 else float(excess)) / sqrt(product)
