"""Objectives: a name, a unit, a direction, and how its values come about.

Accuracy (`top1`, percent, maximised) is evaluated network by network; everything else is a sum over layers, looked up
for whole populations. `status` says how values were obtained: "exact" (counted from the layers), for accuracy that of
its source ("evaluated", "predicted", "imported"), for latencies that of the table ("measured-table", "fitted-table",
"imported-table", "estimated").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space import Genes, LayerSpec, SearchSpace
from profilers.errors import BadInput

Floats = NDArray[np.float64]
TOP1 = "top1"
COUNTS: dict[str, Callable[[LayerSpec], float]] = {"params": lambda x: x.params, "madds": lambda x: x.madds}
_TABLE_STATUS = {"estimated": "estimated"}  # others: "<status>-table"


@dataclass(frozen=True, eq=False)
class Objective:
    """One thing that is measured of a network.

    evaluate: (n, n_genes) canonical genes to (n,) values in `unit`; None for accuracy, which is evaluated one by one.
    note: what is to be known of its values beside their status: how a table serves another number of classes.
    low, high: the values of the space's smallest and largest network; for accuracy, of what can be stated (0 to 100).
    """

    name: str
    unit: str
    minimise: bool
    status: str
    evaluate: Callable[[Genes], Floats] | None
    low: float
    high: float
    note: str = ""

    @property
    def obtained(self) -> str:
        """How its values came about, in words."""
        return f"{self.status}, {self.note}" if self.note else self.status

    def to_json(self) -> dict[str, Any]:
        """What an archive and a report need to know."""
        names = ("name", "unit", "minimise", "status", "low", "high")
        return {name: getattr(self, name) for name in names}


def make_objectives(
    space: SearchSpace, names: Sequence[str], tables: Mapping[str, Path], top1: str = "evaluated", note: str = ""
) -> dict[str, Objective]:
    """The objectives of those names, in that order; `top1` says how accuracy is obtained, `note` what else of it.

    Raises:
        BadInput: an unknown name, or a table of another space (TableError).
    """
    found = {name: _make(space, name, tables, top1) for name in names}
    return {name: replace(o, note=note) if name == TOP1 else o for name, o in found.items()}


def check_name(name: str, tables: Mapping[str, Path]) -> None:
    """BadInput if no objective of that name can be made."""
    allowed = [TOP1, *COUNTS, *tables]
    if name not in allowed:
        near = get_close_matches(name, allowed, 1)
        remedy = f'a table: [tables] {name} = "FILE.json"' if name.endswith("_ms") else (near[0] if near else "")
        raise BadInput(f"unknown objective {name!r}", ", ".join(allowed), remedy)


def _make(space: SearchSpace, name: str, tables: Mapping[str, Path], top1: str) -> Objective:
    check_name(name, tables)
    if name == TOP1:
        return Objective(TOP1, "%", False, top1, None, 0.0, 100.0)
    if name in COUNTS:
        cost = space.compile(COUNTS[name])
        return _bounded(space, name, "", "exact", lambda genes: cost.evaluate(genes[:, 0], space.choices(genes)))
    import lut

    table = lut.load(tables[name])
    bound = table.bind(space)
    status = _TABLE_STATUS.get(table.status, f"{table.status}-table")
    found = _bounded(space, name, "ms", status, lambda genes: bound.predict(genes).ms)
    return replace(found, note=bound.classifier.how)


def _bounded(space: SearchSpace, name: str, unit: str, status: str, evaluate: Callable[[Genes], Floats]) -> Objective:
    low, high = evaluate(space.encode(space.extremes()))
    return Objective(name, unit, True, status, evaluate, float(low), float(high))
