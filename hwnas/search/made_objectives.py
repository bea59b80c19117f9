"""Own objectives of a run: made of their code, kept in `RUN/objectives.json`, read without it.

A run opens, selects, reports and exports wherever it lies, without the modules that its objectives came from: costs of
layers are kept as look-ups, and of networks the archive holds what was computed. Nothing that a run's folder names is
imported. To continue a search the code is needed again, and must give the same values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from hwnas.search import lookups
from hwnas.search.archive import Evaluation
from hwnas.search.lookups import Lookup
from hwnas.search.network_values import SAMPLE, NetworkValues
from hwnas.search.objectives import COMPUTED, COST, EXACT, Objective
from hwnas.search.operators import key
from hwnas.search.own_objectives import BUILT_IN, OwnObjective, Unit
from hwnas.settings import build
from hwnas.space import SearchSpace
from profilers.constraints import OneOf, Text
from profilers.errors import BadInput
from profilers.files import read_json, write_json

FILE = "objectives.json"
_CHECKED = 3  # networks of the archive that a function is asked about again where a search is continued
_ALIKE = 1e-9  # relative


def made(space: SearchSpace, own: OwnObjective) -> Objective:
    """The objective, compiled or sampled for the space.

    Raises:
        BadInput: its code fails for a layer of the space, or for most networks.
    """
    status = EXACT if own.name in BUILT_IN else COMPUTED
    start = Objective(own.name, own.unit, own.direction == "minimise", status, None, 0.0, 0.0, own.note, COST)
    if own.layers is not None:
        lookup = lookups.compiled(space, own.layers, own.combine == "largest", own.name)
        low, high = lookup.bounds()
        return replace(start, evaluate=lookup, low=low, high=high, least=low, most=high)
    values = NetworkValues(own.name, space, own.network, limit=own.timeout)
    low, high = values.sampled_bounds()
    said = f"normalised by the range of {SAMPLE} networks"
    note = f"{own.note}; {said}" if own.note else said
    return replace(start, evaluate=values, low=low, high=high, note=note)


@dataclass(frozen=True)
class _Lookup:
    """A look-up in plain values."""

    base: list[float]
    cost: list[Any]
    largest: bool


@dataclass(frozen=True)
class _Kept:
    """An own objective in plain values; `lookup` is None where it is one of whole networks."""

    unit: Unit
    minimise: bool
    status: Annotated[str, OneOf((EXACT, COMPUTED))]
    note: Text
    low: float
    high: float
    lookup: _Lookup | None = None


def keep(folder: Path, objectives: Iterable[Objective]) -> None:
    """Write own objectives into the folder of a run; nothing where there are none."""
    found = {o.name: _plain(o) for o in objectives}
    if found:
        write_json(folder / FILE, found, indent=None)


def _plain(o: Objective) -> dict[str, Any]:
    fields = {name: getattr(o, name) for name in ("unit", "minimise", "status", "note", "low", "high")}
    return fields | {"lookup": o.evaluate.to_json() if isinstance(o.evaluate, Lookup) else None}


def kept(
    folder: Path, space: SearchSpace, names: Sequence[str], rows: Callable[[], Sequence[Evaluation]]
) -> dict[str, Objective]:
    """The own objectives of those names, as the folder keeps them; `rows` gives the archive's.

    Raises:
        FileProblem, BadInput: the file is not there, is damaged, or is of another space.
    """
    if not names:
        return {}
    path = folder / FILE
    data = build(dict[str, _Kept], read_json(path), str(path))
    if missing := [name for name in names if name not in data]:
        raise BadInput(f"{path} lacks objective {missing[0]}", "a run's own file", "a copy of it, or a new run")
    return {name: _read(path, space, name, data[name], rows) for name in names}


def _read(path: Path, space: SearchSpace, name: str, of: _Kept, rows: Callable[[], Sequence[Evaluation]]) -> Objective:
    start = Objective(name, of.unit, of.minimise, of.status, None, of.low, of.high, of.note, COST)
    if of.lookup is None:
        return replace(start, evaluate=NetworkValues(name, space, None, lambda: _archived(name, rows())))
    where = f"{path}: objective {name}"
    lookup = lookups.stored(space, of.lookup.base, of.lookup.cost, of.lookup.largest, where)
    return replace(start, evaluate=lookup, least=of.low, most=of.high)


def _archived(name: str, rows: Sequence[Evaluation]) -> dict[bytes, float]:
    """The values of the rows by `key`; NaN where the function failed."""
    values = ((np.array(row.genes, np.int64), row.objectives[name]) for row in rows if name in row.objectives)
    return {key(genes): math.nan if value is None else value for genes, value in values}


def continued(
    old: Mapping[str, Objective], own: Mapping[str, OwnObjective], space: SearchSpace, rows: Sequence[Evaluation]
) -> dict[str, Objective]:
    """The kept objectives with their code again; BadInput where it gives other values than the run has."""
    return {name: _continued(old[name], of, space, rows) for name, of in own.items()}


def _continued(old: Objective, own: OwnObjective, space: SearchSpace, rows: Sequence[Evaluation]) -> Objective:
    if own.layers is not None and isinstance(old.evaluate, Lookup):
        new = lookups.compiled(space, own.layers, own.combine == "largest", own.name)
        same = new.largest == old.evaluate.largest and all(
            np.allclose(a, b, rtol=_ALIKE, atol=0)
            for a, b in ((new.base, old.evaluate.base), (new.cost, old.evaluate.cost))
        )
        return _unless_changed(old, same)
    if own.network is None or isinstance(old.evaluate, Lookup):
        return _unless_changed(old, False)
    asked = [row for row in rows if row.objectives.get(own.name) is not None][:_CHECKED]
    genes = np.array([row.genes for row in asked], np.int64).reshape(-1, space.n_genes)
    again = NetworkValues(own.name, space, own.network, limit=own.timeout)
    values = again(genes)
    if (failed := np.isnan(values)).any():
        got = f"objective {own.name} fails for a network of the run: {again.why(genes[failed][:1])}"
        raise BadInput(got, "the values that the run has", "mend it")
    before = np.array([row.objectives[own.name] for row in asked], float)
    known = _archived(own.name, rows)
    kept_values = NetworkValues(own.name, space, own.network, lambda: known, own.timeout)
    return _unless_changed(replace(old, evaluate=kept_values), np.allclose(values, before, rtol=_ALIKE, atol=0))


def _unless_changed(objective: Objective, same: bool) -> Objective:
    if not same:
        got = f"the code of objective {objective.name} gives other values than the run has"
        raise BadInput(got, "the same code", "another --out")
    return objective
