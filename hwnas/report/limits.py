"""The sliders: one for each cost, over the range of its values; at the run's own budget to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwnas.report.data import RunData
from hwnas.report.formatting import scales

STEPS = 400


@dataclass(frozen=True)
class Slider:
    """In the unit that the page shows; at the end of its range it limits nothing."""

    objective: int
    label: str
    unit: str
    minimise: bool
    low: float
    high: float
    step: float
    value: float


def sliders(run: RunData) -> Sequence[Slider]:
    """In the order of the objectives; none without networks."""
    return [_slider(run, i) for i in run.costs]


def _slider(run: RunData, column: int) -> Slider:
    objective, scale = run.objectives[column], scales(run)[column]
    found, limit = run.ends_of(objective.name), run.budgets.get(objective.name)
    assert found is not None  # every row that is done has every objective
    values = np.append(found[:, [0, 2]].ravel(), [] if limit is None else [limit]) / scale.divisor
    step = _step(float(np.ptp(values)) or abs(float(values[0])) or 1.0)
    low, high = np.floor(values.min() / step) * step, np.ceil(values.max() / step) * step
    start = (high if objective.minimise else low) if limit is None else limit / scale.divisor
    numbers = (float(f"{number:.9g}") for number in (low, high, step, start))
    return Slider(column, scale.label, scale.unit, objective.minimise, *numbers)


def _step(span: float) -> float:
    """1, 2 or 5 of a power of ten, so that about `STEPS` of them span the range."""
    power = 10.0 ** np.floor(np.log10(span / STEPS))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor * STEPS >= span))
