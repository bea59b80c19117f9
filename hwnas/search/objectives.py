"""Objectives: a name, a unit, a direction, and how its values come about.

Accuracy (`top1`, percent, maximised) is evaluated network by network; everything else is looked up for whole
populations. `status` says how values were obtained: "exact" (counted from the layers), "computed" (by a user's own
code), for accuracy that of its source ("evaluated", "predicted", "imported"), for what a table holds that of the table
("measured-table", "fitted-table", "imported-table", "estimated").

    kind      top1 is "accuracy", params and madds are "count", a table in milliseconds "latency", all others "cost"
    own       what is built in beside these, or is a user's: `own_objectives`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.lookups import Lookup, compiled
from hwnas.space import Genes, LayerSpec, SearchSpace
from hwnas.space.cost import CostArray
from profilers.errors import BadInput

if TYPE_CHECKING:
    from lut.table.table import BoundTable

Floats = NDArray[np.float64]
TOP1 = "top1"
COUNTS: dict[str, Callable[[LayerSpec], float]] = {"params": lambda x: x.params, "madds": lambda x: x.madds}
ACCURACY, COUNT, LATENCY, COST = KINDS = ("accuracy", "count", "latency", "cost")
EXACT, COMPUTED = "exact", "computed"
MS = "ms"
_TABLE_STATUS = {"estimated": "estimated"}  # others: "<status>-table"


@dataclass(frozen=True, eq=False)
class Objective:
    """One thing that is measured of a network.

    evaluate: (n, n_genes) canonical genes to (n,) values in `unit`; None for accuracy, which is evaluated one by one.
    note: what is to be known of its values beside their status: how a table serves another number of classes.
    low, high: what costs are normalised by: the least and the largest of the space; of a table, the values of the
    smallest and the largest network; of a network's own function, of a sample; for accuracy, 0 to 100.
    kind: see above. least, most: what no network of the space is beyond, where that is known.
    """

    name: str
    unit: str
    minimise: bool
    status: str
    evaluate: Callable[[Genes], Floats] | None
    low: float
    high: float
    note: str = ""
    kind: str = COST
    least: float = -np.inf
    most: float = np.inf

    @property
    def sums(self) -> CostArray | None:
        """The sum over layers that it is, or that is calibrated to give it; None where it is neither."""
        return getattr(self.evaluate, "sums", None)

    @property
    def obtained(self) -> str:
        """How its values came about, in words."""
        return f"{self.status}, {self.note}" if self.note else self.status

    def to_json(self) -> dict[str, Any]:
        """What an archive and a report need to know."""
        names = ("name", "unit", "minimise", "status", "low", "high")
        return {name: getattr(self, name) for name in names}


def make_objectives(
    space: SearchSpace,
    names: Sequence[str],
    tables: Mapping[str, Path],
    top1: str = "evaluated",
    note: str = "",
    own: Mapping[str, Objective] | None = None,
) -> dict[str, Objective]:
    """The objectives of those names, in that order.

    Args:
        space: of the networks.
        names: which.
        tables: files, by the objective that they predict.
        top1: how accuracy is obtained.
        note: what else of it.
        own: further objectives, by name.

    Raises:
        BadInput: an unknown name, or a table of another space (TableError).
    """
    further = own or {}
    for name in names:
        check_name(name, tables, further)
    made = {name: further[name] if name in further else _make(space, name, tables, top1) for name in names}
    return {name: replace(o, note=note) if name == TOP1 else o for name, o in made.items()}


def check_name(name: str, tables: Mapping[str, Path], own: Iterable[str] = ()) -> None:
    """BadInput if no objective of that name can be made."""
    allowed = list(dict.fromkeys([TOP1, *COUNTS, *tables, *own]))
    if name not in allowed:
        near = get_close_matches(name, allowed, 1)
        remedy = near[0] if near else f'a table: [tables] {name} = "FILE.json", or a section [objective.{name}]'
        raise BadInput(f"unknown objective {name!r}", ", ".join(allowed), remedy)


def _make(space: SearchSpace, name: str, tables: Mapping[str, Path], top1: str) -> Objective:
    if name == TOP1:
        return Objective(TOP1, "%", False, top1, None, 0.0, 100.0, kind=ACCURACY, least=0.0, most=100.0)
    if name in COUNTS:
        lookup = compiled(space, COUNTS[name], False, name)
        low, high = lookup.bounds()
        return Objective(name, "", True, EXACT, lookup, low, high, "", COUNT, low, high)
    return _of_table(space, name, tables[name])


def _of_table(space: SearchSpace, name: str, path: Path) -> Objective:
    """Costs are normalised by the smallest and the largest network, whatever the noise of the measured layers."""
    import lut

    table = lut.load(path)
    bound = table.bind(space)
    status = _TABLE_STATUS.get(table.status, f"{table.status}-table")

    evaluate = _Predicted(bound)
    low, high = map(float, evaluate(space.encode(space.extremes())))
    least, most = _reach(space, bound)
    low, high = (low, high) if low < high else (least, most)
    return Objective(name, MS, True, status, evaluate, low, high, bound.classifier.how, LATENCY, least, most)


@dataclass(frozen=True, eq=False)
class _Predicted:
    """A table's prediction."""

    bound: BoundTable

    def __call__(self, genes: Genes) -> Floats:
        return self.bound.predict(genes).ms

    @property
    def sums(self) -> CostArray:
        """See `Objective`."""
        return CostArray(self.bound.cost.base, self.bound.cost.cost)


def _reach(space: SearchSpace, bound: BoundTable) -> tuple[float, float]:
    """The least and the largest prediction of any network."""
    lookup = Lookup(space, bound.cost.base, bound.cost.cost)
    if (calibration := bound.table.calibration) is None:
        return lookup.bounds()
    pixels, found = np.array(space.resolutions, float), []
    for pick in (np.min, np.max):
        corrected = [calibration.apply(sums, n, pixels) for n, sums in lookup.by_layers(pick).items()]
        found.append(float(pick(corrected)))
    return found[0], found[1]
