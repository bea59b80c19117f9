"""A network that was proposed, one that was evaluated, and what a proposal depends on of those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwnas.accuracy.wilson import wilson
from hwnas.search.problem import History
from hwnas.space import Architecture


@dataclass(frozen=True)
class Proposed:
    """A network that an iteration proposes: its place in the whole run and in the iteration, and what was predicted."""

    number: int
    position: int
    genes: tuple[int, ...]
    predicted: float | None
    std: float | None


@dataclass(frozen=True)
class Evaluation:
    """A row: `objectives` by name in their own units, top1 None where `status` is "failed" and `error` says why.

    `images` that top1 is over; None where that is not known.
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
        }


def history(rows: Sequence[Evaluation], n_genes: int) -> History:
    """What a proposal depends on, of the rows of the iterations before it."""
    genes = np.array([row.genes for row in rows], np.int64).reshape(-1, n_genes)
    top1 = [np.nan if row.objectives["top1"] is None else row.objectives["top1"] for row in rows]
    return History(genes, np.array(top1, float))
