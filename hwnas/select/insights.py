"""Which choices lead to efficient networks (paper, appendix B.1): their frequencies on the fronts of a run, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwnas.search.archive import Evaluation
from hwnas.search.front import front
from hwnas.search.objectives import TOP1
from hwnas.search.problem import Problem
from hwnas.select.frequencies import Floats, Frequencies, count
from hwnas.space import Architecture, SearchSpace
from hwnas.space.attributes import Option


@dataclass(frozen=True)
class Insight:
    """The front of some objectives: its networks, and the shares of their choices by layer, block and resolution.

    `overall` has, for each kind of choice, the share of each value among all layers (blocks, networks) of the front.
    """

    objectives: tuple[str, ...]
    shares: Frequencies
    overall: Mapping[str, Mapping[Option, float]]

    def to_json(self) -> dict[str, Any]:
        """As `hwnas insights --json` prints it; None where no network of the front has that layer."""
        shares = {"by_layer": self.shares.choices, "by_block": {"depth": self.shares.depth}}
        found: dict[str, Any] = {"objectives": list(self.objectives), "networks": self.shares.networks}
        for kind, overall in self.overall.items():
            found[kind] = {"choices": list(overall), "overall": list(overall.values())}
            found[kind] |= {place: _plain(by[kind]) for place, by in shares.items() if kind in by}
        return found


def insights(problem: Problem, rows: Sequence[Evaluation]) -> list[Insight]:
    """One for top-1 against each cost, and one for all objectives; fronts are within the run's own budget."""
    pairs = [(TOP1, name) for name in problem.cost_names]
    sets = pairs if len(pairs) == 1 else [*pairs, problem.names]
    return [_insight(problem, rows, names) for names in sets]


def _insight(problem: Problem, rows: Sequence[Evaluation], names: tuple[str, ...]) -> Insight:
    archs = [row.arch for row in front(replace(problem, names=names), rows)]
    shares = count(", ".join(names), problem.space, archs)
    return Insight(names, shares, _overall(problem.space, archs))


def _overall(space: SearchSpace, archs: Sequence[Architecture]) -> dict[str, dict[Option, float]]:
    values: dict[str, tuple[Sequence[Option], list[Option]]] = {
        **{a.name: (a.options, [x for arch in archs for x in arch.values(a.key)]) for a in space.attributes},
        "depth": (space.all_depths, [x for a in archs for x in a.d]),
        "resolution": (space.resolutions, [a.r for a in archs]),
    }
    return {kind: {c: used.count(c) / max(len(used), 1) for c in allowed} for kind, (allowed, used) in values.items()}


def _plain(shares: Floats) -> list[list[float] | None]:
    """Layer by layer, the shares of each choice; None where they are undefined."""
    return [None if np.isnan(column).any() else column.tolist() for column in shares.T]
