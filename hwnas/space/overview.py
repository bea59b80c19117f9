"""What the networks of a space cost, before anything is evaluated: extremes, quartiles, and the share within a budget.

    n  networks that are looked at: all of a small space, else as many as `DRAWN`, each as likely as any other

The share of a tight budget, which few of these keep, is estimated from others that are drawn near it (`tilted`).

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
from hwnas.space.tilted import Z95, Tilted, TiltedSpace, estimate, tilted_to

Floats = NDArray[np.float64]
Genes = NDArray[np.integer[Any]]
DRAWN = 100_000  # networks: quartiles to about 0.3 % of the range, a share of one half to 0.3 points
LISTED = 20_000  # networks of a space that are all looked at
COUNTED, SAMPLED, WEIGHTED = "all networks counted", "sampled", "importance sampling"
TIGHT = 1_000  # of the networks drawn: where fewer keep the budget, others are drawn near it
NEAR = 20_000  # of these: a share to about 3 %
_PILOT, _ROUNDS, _ALIKE = 1_000, 3, 0.01  # draws and rounds in which the tilt is found, until it is alike (in spreads)
_FEW = 30  # draws that keep the budget: fewer say little


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
    """Params or multiply-adds as a `Quantity`; `sums` as of `hwnas.search.objectives.Objective`."""

    name: str
    evaluate: Callable[[Genes], Floats]
    least: float
    most: float
    sums: CostArray
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
    """Of networks that keep every limit, with its 95 % interval, and how it was found."""

    value: float
    low: float
    high: float
    how: str


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


class Space(TiltedSpace, Protocol):
    """What is asked of a `SearchSpace`."""

    @property
    def name(self) -> str:
        """Of the objective, or of the space."""

    def compile(self, value: Any) -> CostArray:
        """A cost of layers as a look-up."""

    def all_genes(self) -> Genes:
        """Every network."""

    def sample_evenly(self, n: int, rng: np.random.Generator) -> Genes:
        """Networks, each as likely as any other."""


def overview(space: Space, objectives: Mapping[str, Quantity], budget: Mapping[str, float]) -> SpaceProfile:
    """What `SearchSpace.profile` gives."""
    genes, whole = networks(space)
    values = {name: o.evaluate(genes) for name, o in objectives.items() if o.evaluate is not None}
    spreads = {name: _spread(objectives[name], found, whole) for name, found in values.items()}
    kept = int(_inside(values, objectives, budget, len(genes)).sum())
    share = _share(kept, len(genes), whole)
    if kept < TIGHT and not whole:
        share = _tight(space, objectives, budget, genes) or share
    return SpaceProfile(space.name, space.size, len(genes), whole, spreads, dict(budget), share)


def _inside(
    values: Mapping[str, Floats], objectives: Mapping[str, Quantity], budget: Mapping[str, float], n: int
) -> NDArray[np.bool_]:
    """(n,) the networks that keep every limit."""
    inside = np.ones(n, bool)
    for name, limit in budget.items():
        inside &= values[name] <= limit if objectives[name].minimise else values[name] >= limit
    return inside


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
    return Count(name, lambda genes: cost.evaluate(genes[:, 0], space.choices(genes)), least, most, cost)


def _spread(objective: Quantity, found: Floats, whole: bool) -> Spread:
    found = found[~np.isnan(found)]  # of a network for which somebody's function fails
    low, middle, high = np.quantile(found, (0.25, 0.5, 0.75)).tolist()
    known = bool(np.isfinite([objective.least, objective.most]).all())
    least, most = (objective.least, objective.most) if known else (float(found.min()), float(found.max()))
    return Spread(objective.unit, least, low, middle, high, most, known or whole)


def _share(count: int, n: int, whole: bool) -> Share:
    share = count / n
    if whole:
        return Share(share, share, share, COUNTED)
    middle, half = share + Z95**2 / (2 * n), Z95 * sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + Z95**2 / n) for sign in (-1, 1))
    return Share(share, max(low, 0.0) if count else 0.0, min(high, 1.0), SAMPLED)


@dataclass(frozen=True)
class _Limit:
    """A limit of a cost that is a sum over layers, or nearly: all in units of the sum's spread, and minimised."""

    sums: CostArray
    value: Callable[[Genes], Floats]
    limit: float

    def offset(self, space: Space, genes: Genes) -> float:
        """By how much sums are above values: calibrated predictions differ from them."""
        sums = self.sums.evaluate(genes[:, 0], space.choices(genes))
        return float(np.median(sums - self.value(genes)))


def _tight(space: Space, objectives: Mapping[str, Quantity], budget: Mapping[str, float], genes: Genes) -> Share | None:
    """The share from networks that are drawn near the budget; None where no cost is a sum, or too few keep it."""
    summed = [_limit(space, objectives[name], limit, genes) for name, limit in budget.items()]
    limits = [limit for limit in summed if limit is not None]
    if not limits:
        return None
    rng, drawn, tilted = np.random.default_rng(0), genes, Tilted(space, [x.sums for x in limits], np.zeros(len(limits)))
    offsets = np.full(len(limits), np.nan)
    for _ in range(_ROUNDS):
        before, offsets = offsets, np.array([x.offset(space, drawn) for x in limits])
        if np.allclose(before, offsets, rtol=0, atol=_ALIKE):  # plain sums
            break
        tilted = tilted_to(tilted, np.array([x.limit for x in limits]) + offsets)
        drawn = tilted.draw(_PILOT, rng)
    drawn = tilted.draw(NEAR, rng)
    values = {name: o.evaluate(drawn) for name, o in objectives.items() if name in budget and o.evaluate is not None}
    found = estimate(tilted.log_weights(drawn), _inside(values, objectives, budget, len(drawn)))
    return Share(found.share, found.low, found.high, WEIGHTED) if found.kept >= _FEW else None


def _limit(space: Space, objective: Quantity, limit: float, genes: Genes) -> _Limit | None:
    sums, evaluate = getattr(objective, "sums", None), objective.evaluate  # of others' quantities none is known
    if sums is None or evaluate is None:
        return None
    spread = float(sums.evaluate(genes[:, 0], space.choices(genes)).std()) * (1 if objective.minimise else -1)
    if spread == 0:
        return None
    return _Limit(CostArray(sums.base / spread, sums.cost / spread), lambda g: evaluate(g) / spread, limit / spread)
