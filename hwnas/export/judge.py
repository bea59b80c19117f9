"""How `--engine auto` judges an engine: by labelled images, or by how far its outputs are from the reference's.

The rule is in `hwnas.export.engine_selection`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hwnas.accuracy.wilson import Drop, drop
from hwnas.export import parity
from hwnas.export.datasheet_schema import RANDOM
from hwnas.export.exportable import Exportable, Outputs
from hwnas.export.quantity import Parity
from profilers.base import Session
from profilers.errors import check_least

MAX_DROP, TOLERANCE = 0.5, 0.01
JUDGED = 2000  # labelled images at most


@dataclass(frozen=True)
class Limits:
    """Points of top-1 (or % of changed classes) that may be lost; and the largest relative difference of an output."""

    drop: float = MAX_DROP
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        check_least(0, **{"a largest accuracy drop": self.drop, "a tolerance": self.tolerance})


class Verdict(NamedTuple):
    """What was found out about an engine; see `engine_selection.Candidate`."""

    parity: Parity
    top1: float | None
    accuracy_drop: float | None
    drop: Drop | None


class Judge:
    """What engines are compared with, computed once. `words` says how, `rule` what the allowed ones do."""

    def __init__(self, item: Exportable, calibration: Path | None, limits: Limits, batch: int) -> None:
        self.data, self.limits, self.tolerance = item.judged, limits, None if item.judged else limits.tolerance
        reference = item.reference(batch)
        if self.data is not None:
            logits = parity.item_logits(item, reference.answer)
            self.expected, self.labels = parity.logits_over(self.data, logits, JUDGED)
            self.words = f"measured: {len(self.labels)} images, {self.data.name}"
            self.rule = f"lose no more than {limits.drop:g} points"
            return
        trials = item.trials(batch, calibration)
        self.runs = trials.runs
        self.answers: list[Outputs] = [reference.answer(feeds) for feeds in self.runs]
        classes = parity.compare_runs(self.answers, self.answers).top1_agreement is not None
        if classes and (trials.real or RANDOM in item.warnings):
            self.tolerance = None
        rules = [f"change the class of no more than {limits.drop:g} %"] if classes else []
        rules += [] if self.tolerance is None else [f"differ by no more than {100 * self.tolerance:g} % of an output"]
        self.rule = " and ".join(rules)
        compared = "classes" if self.tolerance is None else "outputs"
        self.words = f"not measured: {item.lacking}; {compared} compared with {reference.name} on {trials.name}"

    def judge(self, session: Session) -> Verdict:
        """Parity, top-1 and what is lost; MeasurementFailed for outputs that are not finite."""
        if self.data is None:
            found = parity.compare_runs([parity.run_rows(session, feeds) for feeds in self.runs], self.answers)
            same = found.top1_agreement
            return Verdict(found, None, None if same is None else 100 * (1 - same), None)
        got, _ = parity.logits_over(self.data, partial(parity.logits_of, session), JUDGED)
        lost = drop(self.expected.argmax(1) == self.labels, got.argmax(1) == self.labels)
        found = parity.compare_logits(got, self.expected)
        return Verdict(found, parity.top1(got, self.labels), lost.points, lost)
