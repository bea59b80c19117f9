"""Early stop: no more passes where validation accuracy has not risen for a while; the best weights are kept.

The learning rate falls over all configured passes, as if none were left out: every pass is that of a training without
early stop, and what is kept is the best of them. As the last passes, of small rates, often bring the most, a patience
of a third of all passes or more is advised. Every data set has a validation split, given or made; test images are never
looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from hwnas.train.evaluate import calibration_batches, recalibrate, top1
from hwnas.train.one_network import Training
from hwnas.train.optimise import Diverged
from hwnas.train.state import stored_fact

NONE = -1.0  # top-1 before the first pass, and of a network that answers with no number


@dataclass
class EarlyStop:
    """The best pass so far, by top-1 (%) on the validation split; a `patience` of 0 looks at nothing."""

    patience: int
    top1: float = NONE
    at: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)  # before BatchNorm's recalibration

    def look(self, training: Training) -> None:
        """Judge the weights behind a pass, averaged ones where there are such; all processes learn the accuracy."""
        if not self.patience:
            return
        group = training.group
        found = _validated(training) if group.is_rank_zero else 0.0
        found = round(group.mean(found * group.size), 2)
        if found > self.top1:
            self.top1, self.at = found, training.done
            self.weights = {name: value.clone() for name, value in training.candidate().state_dict().items()}

    def is_over(self, done: int) -> bool:
        """Whether the best is `patience` passes ago."""
        return self.patience > 0 and done - self.at >= self.patience

    def take(self, training: Training, path: Path) -> None:
        """Let the training end in the best weights, if any; BadInput if those of the state in `path` do not fit."""
        if self.at:
            training.take(self.weights, path)

    def said(self, done: int, passes: int) -> str:
        """What people should know, "" without early stop."""
        if not self.patience:
            return ""
        length = f"stopped after {done} of {passes} passes" if done < passes else f"all {passes} passes"
        return f"{length}, best at {self.at}"

    # --- what is stored with the training's state ------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Beside the weights."""
        return {"best_top1": self.top1, "best_at": self.at} if self.patience else {}

    def restore(self, weights: Mapping[str, Tensor], stored: Mapping[str, Any], path: Path) -> None:
        """Go on from `weights` and `facts()`, read from `path`; BadInput if these are missing."""
        if self.patience:
            self.top1 = stored_fact(stored, "best_top1", float, path)
            self.at, self.weights = stored_fact(stored, "best_at", int, path), weights


def _validated(training: Training) -> float:
    """Top-1 (%) that the weights would have if training ended now; training itself is left as it is."""
    network = training.candidate_copy()
    try:
        recalibrate(network, calibration_batches(training.dataset, training.resolution))
        return top1(network, training.dataset, "val", training.resolution)
    except Diverged:
        return NONE
