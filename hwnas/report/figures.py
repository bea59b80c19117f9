"""The data of every figure: pure functions of a run, plain tuples out. Drawing is elsewhere.

i  index of an evaluated network, in order of evaluation (a row of `RunData.values`)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from hwnas.report.data import RunData
from hwnas.report.formatting import Scale, label_of, scales
from hwnas.search.objectives import LATENCY
from hwnas.select.frequencies import Frequencies, count

Numbers = tuple[float, ...]
Indices = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """An objective on an axis: where it stands, how it is called, its values in the unit of the title."""

    objective: int
    title: str
    values: Numbers
    minimise: bool


@dataclass(frozen=True)
class Front:
    """The front in 3-D (paper, Fig. 8b): axes x, y, z, then colour and marker size where there are more objectives."""

    x: Axis
    y: Axis
    z: Axis
    colour: Axis | None
    size: Axis | None
    front: Indices
    others: Indices
    marked: dict[int, str]


@dataclass(frozen=True)
class Projection:
    """Quality against one cost: all networks, those that no other beats in all objectives, and in these two."""

    x: Axis
    y: Axis
    front: Indices
    pair: Indices
    marked: dict[int, str]
    budget: float | None


@dataclass(frozen=True)
class Curve:
    """The mean over `seeds` runs, and their range."""

    x: Numbers
    y: Numbers
    low: Numbers
    high: Numbers
    seeds: int


@dataclass(frozen=True)
class Progress:
    """Hypervolume by evaluations, random search beside it, and the evaluations after which the search surpassed it."""

    search: Curve
    random: Curve | None
    overtaken: int | None


@dataclass(frozen=True)
class Quality:
    """The surrogate on new networks before they were added (paper, Fig. 5), one value an iteration."""

    iterations: Indices
    rmse: tuple[float | None, ...]
    spearman: tuple[float | None, ...]
    kendall: tuple[float | None, ...]
    surrogates: tuple[str, ...]


def axis(run: RunData, i: int, scale: Scale) -> Axis:
    """Objective `i`, scaled."""
    values = tuple(float(v) for v in run.values[:, i] / scale.divisor)
    return Axis(i, scale.title, values, run.objectives[i].minimise)


def front(run: RunData) -> Front | None:
    """None with fewer than three objectives or no network.

    Latencies come first, since they are what is shipped: x the first of them, y the params where they are searched.
    """
    if len(run.objectives) < 3 or not run.done:
        return None
    names, shown = [o.name for o in run.objectives], scales(run)
    ordered = sorted(run.costs, key=lambda i: (run.objectives[i].kind != LATENCY, i))
    x = ordered.pop(0)
    y = next((i for i in ordered if names[i] == "params"), ordered[0])
    ordered.remove(y)
    rest = [axis(run, i, shown[i]) for i in ordered]
    colour, size = ([*rest, None, None])[:2]
    mask = run.front
    return Front(
        axis(run, x, shown[x]),
        axis(run, y, shown[y]),
        axis(run, run.quality, shown[run.quality]),
        colour,
        size,
        _indices(mask),
        _indices(~mask),
        run.marked,
    )


def projections(run: RunData) -> list[Projection]:
    """One for each cost; none without networks."""
    if not run.done:
        return []
    shown, found = scales(run), []
    y = axis(run, run.quality, shown[run.quality])
    for i in run.costs:
        x, limit = axis(run, i, shown[i]), run.budgets.get(run.objectives[i].name)
        pair = sorted(_indices(run.front_of([run.quality, i])), key=lambda k: (x.values[k], y.values[k]))
        budget = None if limit is None else limit / shown[i].divisor
        found.append(Projection(x, y, _indices(run.front), tuple(pair), run.marked, budget))
    return found


def progress(run: RunData) -> Progress | None:
    """None where no hypervolume was recorded."""
    points = [(s.evaluations, s.hypervolume) for s in run.iterations if s.hypervolume is not None]
    if not points:
        return None
    search = curve([*points, *((p.evaluations, p.hypervolume) for p in run.repeats)])
    if not run.random:
        return Progress(search, None, None)
    random = curve([(p.evaluations, p.hypervolume) for p in run.random])
    overtaken = next((int(x) for x, y in zip(search.x, search.y, strict=True) if y >= random.y[-1]), None)
    return Progress(search, random, overtaken)


def curve(points: Sequence[tuple[float, float]]) -> Curve:
    """Mean and range of the points that share their x."""
    groups = [(x, [y for _, y in g]) for x, g in groupby(sorted(points), key=lambda p: p[0])]
    x = tuple(float(x) for x, _ in groups)
    y, low, high = (tuple(float(f(v)) for _, v in groups) for f in (np.mean, min, max))
    return Curve(x, y, low, high, max(len(v) for _, v in groups))


def quality(run: RunData) -> Quality | None:
    """None where no iteration had a surrogate to check."""
    steps = [s for s in run.iterations if (s.rmse, s.spearman, s.kendall) != (None, None, None)]
    if not steps:
        return None
    return Quality(
        tuple(s.iteration for s in steps),
        tuple(s.rmse for s in steps),
        tuple(s.spearman for s in steps),
        tuple(s.kendall for s in steps),
        tuple(s.surrogate or "unnamed" for s in steps),
    )


def frequencies(run: RunData) -> list[Frequencies]:
    """Which choices the networks on each front of the quality against a cost have made (paper, Fig. 10)."""
    found = []
    for i in run.costs if run.done else ():
        chosen = [run.archs[k] for k in np.flatnonzero(run.front_of([run.quality, i]))]
        found.append(count(label_of(run, run.objectives[i].name), run.space, chosen))
    return found


def _indices(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Indices:
    return tuple(int(i) for i in np.flatnonzero(mask))
