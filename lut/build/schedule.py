"""The steps of a build, and which of those left are to be done: required ones, and others while the budget lasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lut.build.bench import TOGETHER
from lut.build.checkpoint import Checkpoint
from lut.build.records import MeasurementBatch, aggregate, relative_errors
from lut.protocols import Space
from profilers.errors import BadInput, check_least
from profilers.progress import Progress
from profilers.timing.measurement import spread

LEAST_GROUPS = 3  # of networks: each reflects the machine at one time, and the table's scale is their mean


@dataclass(frozen=True)
class BuildPlan:
    """How much is measured.

    passes          most covers of the space
    target          median relative standard error of a layer that is good enough to stop
    networks        most networks end to end, for reconciliation, calibration and interval
    budget_seconds  no step beyond the first pass and `LEAST_GROUPS` groups of networks is begun that would exceed it;
                    None for no limit
    """

    passes: int = 3
    target: float = 0.005
    networks: int = 360
    budget_seconds: float | None = 240.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1 or self.networks < 0:
            raise BadInput(f"{self.passes} passes, {self.networks} networks", "1 pass or more, 0 networks or more")
        check_least(0, seed=self.seed, budget_seconds=self.budget_seconds or 0.0)

    @property
    def groups(self) -> list[slice]:
        """Rows of the networks that are timed together."""
        return [slice(i, min(i + TOGETHER, self.networks)) for i in range(0, self.networks, TOGETHER)]


@dataclass(frozen=True)
class Step:
    """A cover of a resolution, or a group of networks (rows of the plan's); `required` whatever it takes."""

    name: str
    required: bool
    resolution: int = 0
    rows: slice | None = None

    @property
    def is_cover(self) -> bool:
        """Whether layers are measured, and not networks end to end."""
        return self.rows is None


def steps_of(space: Space, plan: BuildPlan) -> list[Step]:
    """All of them in order: groups of networks among the covers, so that both see the machine alike.

    Further covers come last, because networks end to end lower a table's errors more (docs/measurement.md).
    """
    covers = [[Step(f"pass {p + 1}, {r} px", p == 0, r) for r in _order(space, plan, p)] for p in range(plan.passes)]
    groups = [Step(f"networks {i + 1}", i < LEAST_GROUPS, rows=rows) for i, rows in enumerate(plan.groups)]
    first = spread(covers[0], groups[:LEAST_GROUPS], at=1.0)
    return [*first, *groups[LEAST_GROUPS:], *(step for some in covers[1:] for step in some)]


def due(steps: Sequence[Step], plan: BuildPlan, done: Checkpoint, bar: Progress) -> Iterator[Step]:
    """The steps to be done, decided one by one; the bar's total leaves out what will not be, as far as is known."""
    left = [step for step in steps if not done.has(step.name)]
    counted = len(left)
    while True:
        found = affordable(left, plan, done.batches)
        bar.reduce_total(counted - len(found))
        if not found:
            return
        yield found[0]
        left = left[left.index(found[0]) + 1 :]
        counted = len(found) - 1


def affordable(steps: Sequence[Step], plan: BuildPlan, batches: Sequence[MeasurementBatch]) -> list[Step]:
    """Of the steps left those to be done: required, or within the budget and, if covers, layers are not known yet."""
    known = bool(covers(batches)) and layers_error(batches) <= plan.target
    spent, usual = sum(b.seconds for b in batches), {kind: _usual_seconds(kind, batches) for kind in (True, False)}
    found = []
    for step in steps:
        late = plan.budget_seconds is not None and spent + usual[step.is_cover] > plan.budget_seconds
        if step.required or not (late or (step.is_cover and known)):
            found.append(step)
            spent += usual[step.is_cover]
    return found


def covers(batches: Sequence[MeasurementBatch]) -> list[MeasurementBatch]:
    """Those that observed layers."""
    return [b for b in batches if b.is_cover]


def layers_error(batches: Sequence[MeasurementBatch]) -> float:
    """The layers' median relative standard error."""
    return float(np.median(relative_errors(aggregate(covers(batches)))))


def _order(space: Space, plan: BuildPlan, number: int) -> list[int]:
    """The resolutions in an order of each pass's own."""
    order = np.random.default_rng([plan.seed, number]).permutation(len(space.resolutions))
    return [space.resolutions[i] for i in order]


def _usual_seconds(cover: bool, batches: Sequence[MeasurementBatch]) -> float:
    """What a cover, or a group of networks, took so far; while there is none, what the others took, or 0."""
    alike = [b.seconds for b in batches if b.is_cover == cover] or [b.seconds for b in batches]
    return float(np.median(alike)) if alike else 0.0
