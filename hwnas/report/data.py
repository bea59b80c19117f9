"""What a report is made of, whatever it was loaded from.

n  evaluated networks (those with every objective)      m  objectives      values (n, m)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.accuracy.wilson import alike
from hwnas.report.thinning import LeftOut
from hwnas.search.archive import Evaluation
from hwnas.search.hypervolume import nondominated
from hwnas.search.limits import beyond, ends, surely_within
from hwnas.search.objectives import COST, LATENCY
from hwnas.space import Architecture, Genes, SearchSpace
from lut import LatencyTable
from profilers.errors import BadInput

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ObjectiveInfo:
    """An objective's name, unit and goal, `how` its values came about, in words, and its kind (see `Objective`)."""

    name: str
    unit: str
    minimise: bool
    how: str
    kind: str = COST


@dataclass(frozen=True)
class Iteration:
    """A search's step: evaluations so far, hypervolume, and the surrogate on networks it had not seen."""

    iteration: int
    evaluations: int
    hypervolume: float | None = None
    rmse: float | None = None
    spearman: float | None = None
    kendall: float | None = None
    surrogate: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class CurvePoint:
    """Hypervolume of another run after some evaluations; several seeds give several points there."""

    evaluations: int
    hypervolume: float


@dataclass(frozen=True)
class Engine:
    """An exported engine: its datasheet, the address of its folder as seen from the report, and the folder by name."""

    sheet: Mapping[str, Any]
    link: str | None = None
    folder: str = ""


@dataclass(frozen=True)
class RunData:
    """A run, and what else is known of its problem.

    `tables` by the objective that they predict; `random` the curve of random search, `repeats` that of the same
    search with other seeds; `budgets` are limits by objective, of which `limited` are not shown; `config` is
    run.toml's text; `known` is compare.json, `known_elsewhere` the newest of another place; `folder` the run's, as it
    was named; `left_out` evaluated networks that are not in `rows`.
    """

    name: str
    space: SearchSpace
    objectives: Sequence[ObjectiveInfo]
    rows: Sequence[Evaluation]
    iterations: Sequence[Iteration] = ()
    chosen: Sequence[Engine] = ()
    tables: Mapping[str, LatencyTable] = field(default_factory=dict)
    random: Sequence[CurvePoint] = ()
    repeats: Sequence[CurvePoint] = ()
    budgets: Mapping[str, float] = field(default_factory=dict)
    config: str = ""
    limited: Sequence[ObjectiveInfo] = ()
    known: Mapping[str, Any] | None = None
    folder: str = ""
    left_out: LeftOut = field(default_factory=LeftOut)
    known_elsewhere: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.objectives:
            raise BadInput(f"run {self.name!r} has no objective", "top1 and any others")

    @cached_property
    def done(self) -> tuple[Evaluation, ...]:
        """(n) the rows that have every objective, in order of evaluation."""
        names = [o.name for o in self.objectives]
        return tuple(row for row in self.rows if all(_finite(row.objectives.get(name)) for name in names))

    @property
    def evaluated(self) -> int:
        """Number of networks that have every objective, with those that are not shown."""
        return len(self.done) + self.left_out.networks

    @property
    def failed(self) -> int:
        """Number of evaluations that gave no value."""
        return len(self.rows) - len(self.done)

    @cached_property
    def values(self) -> Floats:
        """(n, m) objectives of the rows that are done."""
        rows = [[row.objectives[o.name] for o in self.objectives] for row in self.done]
        return np.array(rows, float).reshape(len(self.done), len(self.objectives))

    @cached_property
    def quality(self) -> int:
        """Index of the objective that the others are traded against: top1, else the first to be maximised."""
        names = [o.name for o in self.objectives]
        if "top1" in names:
            return names.index("top1")
        return next((i for i, o in enumerate(self.objectives) if not o.minimise), 0)

    @cached_property
    def costs(self) -> tuple[int, ...]:
        """Indices of all the other objectives."""
        return tuple(i for i in range(len(self.objectives)) if i != self.quality)

    @cached_property
    def main_cost(self) -> int:
        """Index of the first latency, else of the first cost (of the quality, if there is no cost)."""
        latencies = [i for i in self.costs if self.objectives[i].kind == LATENCY]
        return next(iter([*latencies, *self.costs]), self.quality)

    @cached_property
    def within_budgets(self) -> Mask:
        """(n,) the networks that meet all budgets at the upper ends of their intervals, as `hwnas select` requires."""
        return self._meeting_budgets(lambda found, limit, low: surely_within(found, limit, low))

    @cached_property
    def possibly_within_budgets(self) -> Mask:
        """(n,) those that meet all budgets by their point predictions."""
        return self._meeting_budgets(lambda found, limit, low: ~beyond(found[:, 1], limit, low))

    def _meeting_budgets(self, meets: Callable[[Floats, float, bool], Mask]) -> Mask:
        mask = np.ones(len(self.done), bool)
        for name, limit in self.budgets.items():
            found = self.ends_of(name)
            if found is not None:
                mask &= meets(found, limit, self.minimises(name))
        return mask

    def ends_of(self, name: str) -> Floats | None:
        """(n, 3) low, value and high of an objective, see `hwnas.search.limits`; None where not every row has it."""
        if name not in self._ends:
            self._ends[name] = self._ends_of(name)
        return self._ends[name]

    def _ends_of(self, name: str) -> Floats | None:
        values = [row.objectives.get(name) for row in self.done]
        if not all(_finite(value) for value in values):
            return None
        return ends(self.space, self._genes, [float(value or 0.0) for value in values], self.tables.get(name))

    @cached_property
    def _ends(self) -> dict[str, Floats | None]:
        return {}

    @cached_property
    def _genes(self) -> Genes:
        """(n, n_genes) of the rows that are done."""
        return self.space.encode(self.archs)

    def info(self, name: str) -> ObjectiveInfo | None:
        """What is known of an objective that is shown or limited."""
        return next((o for o in (*self.objectives, *self.limited) if o.name == name), None)

    def minimises(self, name: str) -> bool:
        """Whether less of an objective is better."""
        info = self.info(name)
        return name != "top1" if info is None else info.minimise

    @cached_property
    def front(self) -> Mask:
        """(n,) the networks within the budgets that no other one of them beats in every objective."""
        return self.front_of(range(len(self.objectives)))

    def front_of(self, columns: Sequence[int]) -> Mask:
        """(n,) the networks within the budgets that no other one of them beats in these objectives."""
        signs = np.array([1.0 if self.objectives[i].minimise else -1.0 for i in columns])
        mask, inside = np.zeros(len(self.done), bool), np.flatnonzero(self.within_budgets)
        mask[inside] = nondominated(self.values[inside][:, list(columns)] * signs)
        return mask

    def tied(self, best: int, among: Mask) -> list[int]:
        """Others among these whose quality cannot be told from that of the best (see `alike`)."""
        value, is_top1 = self.values[best, self.quality], self.objectives[self.quality].name == "top1"
        found = (int(i) for i in np.flatnonzero(among) if i != best)
        rows = self.done
        images = (lambda i: rows[i].images) if is_top1 else (lambda _: None)
        return [i for i in found if alike(float(value), float(self.values[i, self.quality]), images(i))]

    @cached_property
    def archs(self) -> tuple[Architecture, ...]:
        """(n) architectures of the rows that are done; BadInput if one is not of this space."""
        return tuple(self.space.parse(row.arch.to_json()) for row in self.done)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {arch.id: i for i, arch in enumerate(self.archs)}

    def row_of(self, key: str) -> int | None:
        """Index of the evaluated network of that id; None where the search has not seen it."""
        return self._rows.get(key)

    @cached_property
    def letters(self) -> dict[str, str]:
        """A, B, C … by id of the chosen networks, in rising order of the main cost; a network's engines share one."""
        archs = {arch.id: arch for arch in (self.space.parse(e.sheet["architecture"]) for e in self.chosen)}
        if not archs:
            return {}
        rows, cost = self._rows, self.values[:, self.main_cost]
        order = sorted(archs, key=lambda key: (cost[rows[key]] if key in rows else math.inf, key))
        return {key: letter(i) for i, key in enumerate(order)}

    @cached_property
    def marked(self) -> dict[int, str]:
        """Letter by index of the evaluated network, for those chosen."""
        return {i: self.letters[arch.id] for i, arch in enumerate(self.archs) if arch.id in self.letters}


def letter(index: int) -> str:
    """A to Z, then AA, AB and so on."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
