"""What the networks of a space cost, before anything is evaluated: extremes, quartiles, and the share within a budget.

    n  networks that are looked at: all of a small space, else as many as `DRAWN`, each as likely as any other

Extremes of counts and tables are exact (every layer's least and largest, see `hwnas.space.cost.extremes`); those of a
network's own function are of the networks that were looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from math import sqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.space.cost import CostArray, extremes

Floats = NDArray[np.float64]
Genes = NDArray[np.integer[Any]]
DRAWN = 100_000  # networks: quartiles to about 0.3 % of the range, a share of one half to 0.3 points
LISTED = 20_000  # networks of a space that are all looked at
_Z = 1.96  # of a 95 % interval


class Quantity(Protocol):
    """What an objective has that can be looked up (`hwnas.search.objectives.Objective`)."""

    @property
    def name(self) -> str:
        """Of the objective, or of the space."""

    @property
    def unit(self) -> str:
        """As in "ms"."""

    @property
    def minimise(self) -> bool:
        """Whether less is better."""

    @property
    def evaluate(self) -> Callable[[Genes], Floats] | None:
        """(n, n_genes) to (n,) values."""

    @property
    def least(self) -> float:
        """What no network is below."""

    @property
    def most(self) -> float:
        """What no network is above."""


@dataclass(frozen=True)
class Count:
    """Params or multiply-adds as a `Quantity`."""

    name: str
    evaluate: Callable[[Genes], Floats]
    least: float
    most: float
    unit: str = ""
    minimise: bool = True


@dataclass(frozen=True)
class Spread:
    """Of one objective, in its unit; `exact` says whether smallest and largest are of the whole space."""

    unit: str
    smallest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    largest: float
    exact: bool


@dataclass(frozen=True)
class Share:
    """Of networks that keep every limit, with its 95 % interval (Wilson's)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SpaceProfile:
    """Number of networks, how many were looked at (`exact`: all), objectives by name, the share within the budget."""

    space: str
    size: int
    looked_at: int
    exact: bool
    objectives: Mapping[str, Spread]
    budget: Mapping[str, float]
    share: Share

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Space(Protocol):
    """What is asked of a `SearchSpace`."""

    @property
    def name(self) -> str:
        """Of the objective, or of the space."""

    @property
    def size(self) -> int:
        """Number of networks."""

    @property
    def depth_choices(self) -> tuple[tuple[int, ...], ...]:
        """Of each stage."""

    @property
    def capacity(self) -> tuple[int, ...]:
        """Slots of each stage."""

    def compile(self, value: Any) -> CostArray:
        """A cost of layers as a look-up."""

    def choices(self, genes: Genes) -> Genes:
        """(n, S) for look-ups."""

    def all_genes(self) -> Genes:
        """Every network."""

    def sample_evenly(self, n: int, rng: np.random.Generator) -> Genes:
        """Networks, each as likely as any other."""


def overview(space: Space, objectives: Mapping[str, Quantity], budget: Mapping[str, float]) -> SpaceProfile:
    """What `SearchSpace.profile` gives."""
    genes, whole = networks(space)
    values = {name: o.evaluate(genes) for name, o in objectives.items() if o.evaluate is not None}
    inside = np.ones(len(genes), bool)
    for name, limit in budget.items():
        inside &= values[name] <= limit if objectives[name].minimise else values[name] >= limit
    spreads = {name: _spread(objectives[name], found, whole) for name, found in values.items()}
    share = _share(int(inside.sum()), len(genes), whole)
    return SpaceProfile(space.name, space.size, len(genes), whole, spreads, dict(budget), share)


def networks(space: Space) -> tuple[Genes, bool]:
    """(n, n_genes) that are looked at, and whether they are all."""
    if space.size <= LISTED:
        return space.all_genes(), True
    return space.sample_evenly(DRAWN, np.random.default_rng(0)), False


def counted(space: Space) -> dict[str, Quantity]:
    """Params and multiply-adds."""
    return {name: _count(space, name) for name in ("params", "madds")}


def _count(space: Space, name: str) -> Count:
    cost = space.compile(lambda layer: float(getattr(layer, name)))
    by_choice = cost.cost.reshape(*cost.cost.shape[:2], -1)
    reach = partial(extremes, cost.base, by_choice, space.depth_choices, space.capacity)
    least, most = (float(pick(np.array(list(reach(pick).values())))) for pick in (np.min, np.max))
    return Count(name, lambda genes: cost.evaluate(genes[:, 0], space.choices(genes)), least, most)


def _spread(objective: Quantity, found: Floats, whole: bool) -> Spread:
    low, middle, high = np.quantile(found, (0.25, 0.5, 0.75)).tolist()
    known = bool(np.isfinite([objective.least, objective.most]).all())
    least, most = (objective.least, objective.most) if known else (float(found.min()), float(found.max()))
    return Spread(objective.unit, least, low, middle, high, most, known or whole)


def _share(count: int, n: int, whole: bool) -> Share:
    share = count / n
    if whole:
        return Share(share, share, share)
    middle, half = share + _Z**2 / (2 * n), _Z * sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + _Z**2 / n) for sign in (-1, 1))
    return Share(share, max(low, 0.0) if count else 0.0, min(high, 1.0))
