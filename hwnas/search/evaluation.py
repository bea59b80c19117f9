"""A network that was proposed, one that was evaluated, and what a proposal depends on of those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwnas.accuracy.wilson import binomial_variance, wilson
from hwnas.search.objectives import TOP1
from hwnas.search.problem import History
from hwnas.space import Architecture

OK, FAILED, SUBSET = "ok", "failed", "subset"


@dataclass(frozen=True)
class Proposed:
    """A network that an iteration proposes: its place in the whole run and in the iteration, and what was predicted."""

    number: int
    position: int
    genes: tuple[int, ...]
    predicted: float | None
    std: float | None


@dataclass(frozen=True)
class Searched:
    """Top-1 in percent that a search learnt from, over a part of the images."""

    top1: float
    images: int | None


@dataclass(frozen=True)
class Evaluation:
    """A row: `objectives` by name in their own units, top1 None where `status` is "failed" and `error` says why.

    `images` that top1 is over; None where that is not known. `status` is "subset" where they are a part of the images:
    the search learnt from it, and the network is not offered. `searched` is what the search saw of a network that was
    judged on all images since, as `objectives` then say.
    """

    number: int
    iteration: int
    status: str
    arch: Architecture
    genes: tuple[int, ...]
    objectives: Mapping[str, float | None]
    error: str | None
    seconds: float
    images: int | None = None
    searched: Searched | None = None

    def judged(self, top1: float | None, error: str | None, seconds: float, images: int | None) -> Evaluation:
        """The same with what came out on all images."""
        seen = self.objectives[TOP1]
        assert seen is not None  # only networks of a front are judged again
        objectives, status = {**self.objectives, TOP1: top1}, FAILED if error else OK
        return replace(self, status=status, objectives=objectives, error=error, seconds=self.seconds + seconds,
                       images=images, searched=Searched(seen, self.images))  # fmt: skip

    @property
    def _seen(self) -> Searched | None:
        """What the search saw, where that was a part of the images."""
        top1 = self.objectives[TOP1]
        return Searched(top1, self.images) if self.status == SUBSET and top1 is not None else self.searched

    @property
    def searched_top1(self) -> float:
        """What the search learns from; NaN where the evaluation failed."""
        top1 = self.searched.top1 if self.searched else self.objectives[TOP1]
        return float("nan") if top1 is None else top1

    @property
    def noise(self) -> float:
        """Binomial variance of that, in squared points, where it is over a part of the images; 0 otherwise."""
        seen = self._seen
        return 0.0 if seen is None or seen.images is None else binomial_variance(seen.top1, seen.images)

    @property
    def top1_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of top1, in percent; None where the images are not known."""
        top1 = self.objectives.get("top1")
        return None if top1 is None or self.images is None else wilson(top1, self.images)

    def to_json(self) -> dict[str, Any]:
        """The row of `hwnas archive --format jsonl`."""
        low, high = self.top1_interval or (None, None)
        return {
            "id": self.arch.id,
            "iteration": self.iteration,
            "status": self.status,
            "arch": self.arch.to_json(),
            "objectives": dict(self.objectives),
            "error": self.error,
            "seconds": self.seconds,
            "images": self.images,
            "top1_low": low,
            "top1_high": high,
            **({"searched_top1": seen.top1, "searched_images": seen.images} if (seen := self._seen) else {}),
        }


def history(rows: Sequence[Evaluation], n_genes: int) -> History:
    """What a proposal depends on, of the rows of the iterations before it."""
    genes = np.array([row.genes for row in rows], np.int64).reshape(-1, n_genes)
    noise = np.array([row.noise for row in rows], float)
    return History(genes, np.array([row.searched_top1 for row in rows], float), noise if noise.any() else None)
