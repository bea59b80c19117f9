"""What is searched: the objectives, normalised, under budgets.

    n networks   m costs: the searched objectives beside accuracy   genes (n, n_genes), canonical
    costs (n, m)   0 = the space's best network, 1 = its worst, or the budget where that is better; an objective that is
                   maximised becomes a cost here, and everything behind this module minimises
    loss (n,)      0 = the best accuracy of the range, 1 = the worst

The range of accuracy is stated in the configuration, or is that of the space's smallest and largest network, which are
then evaluated first: either way it belongs to the problem, not to how a run happens to start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwnas.search.hypervolume import hypervolume, nondominated
from hwnas.search.network_values import NetworkValues
from hwnas.search.objectives import TOP1, Objective
from hwnas.space import Genes, SearchSpace
from profilers.constraints import Name, Positive
from profilers.errors import BadInput

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scalarise:
    """One objective of two: top1 * (cost / target) ** exponent, maximised (paper, section 5.2; MnasNet)."""

    objective: Name
    """The cost."""
    target: Positive
    """What it should be, in its unit."""
    exponent: float = -0.07
    """How much a cost above the target counts."""

    def __post_init__(self) -> None:
        from profilers.validation import check_fields

        check_fields(self)


@dataclass(frozen=True, eq=False)
class History:
    """What has been evaluated: genes (n, n_genes), top1 (n,) in percent, NaN where the evaluation failed.

    noise: (n,) known variance of each top1, in squared points; None where nothing is known of it.
    """

    genes: Genes
    top1: Floats
    noise: Floats | None = None

    @cached_property
    def done(self) -> History:
        """Without the failures."""
        good = ~np.isnan(self.top1)
        return History(self.genes[good], self.top1[good], None if self.noise is None else self.noise[good])

    def joined(self, more: History) -> History:
        """With `more` after it."""
        pair = (self, more)
        noise = None
        if any(one.noise is not None for one in pair):
            noise = np.concatenate([np.zeros(len(one)) if one.noise is None else one.noise for one in pair])
        return History(np.concatenate([one.genes for one in pair]), np.concatenate([one.top1 for one in pair]), noise)

    def __len__(self) -> int:
        return len(self.top1)


@dataclass(frozen=True, eq=False)
class Problem:
    """A space with its objectives. `names` are searched; `objectives` also holds what budgets and [scalarise] need.

    candidates: (k, n_genes) the only networks that are searched, from few to many MAdds; None for all of the space.
    """

    space: SearchSpace
    objectives: Mapping[str, Objective]
    names: tuple[str, ...]
    budget: Mapping[str, float] = field(default_factory=dict)
    scalarise: Scalarise | None = None
    top1_range: tuple[float, float] | None = None
    candidates: Genes | None = None

    def __post_init__(self) -> None:
        for name, limit in self.budget.items():
            if name != TOP1:
                check_budget(self.objectives[name], limit)
        if self.scalarise and self.objectives[self.scalarise.objective].low <= 0:
            got = f"[scalarise] of {self.scalarise.objective}, which may be 0 or less"
            raise BadInput(got, "an objective whose values are above 0")
        if self.candidates is not None and not (self.excess(self.candidates) <= 0).any():
            limits = ", ".join(f"{name} {limit:g}" for name, limit in self.budget.items())
            raise BadInput(
                f"none of the {len(self.candidates):,} networks is within {limits}", remedy="a larger budget"
            )

    @cached_property
    def cost_names(self) -> tuple[str, ...]:
        """The searched objectives beside accuracy."""
        return tuple(name for name in self.names if name != TOP1)

    @cached_property
    def anchors(self) -> Genes:
        """(2, n_genes) the smallest and the largest network; none where the range of accuracy is stated."""
        genes = self.space.encode(self.space.extremes()) if self.candidates is None else self.candidates[[0, -1]]
        return genes if self.top1_range is None else genes[:0]

    def values(self, genes: Genes) -> dict[str, Floats]:
        """Name to (n,) values, in the objectives' own units, of all that is looked up."""
        return {name: o.evaluate(genes) for name, o in self.objectives.items() if o.evaluate is not None}

    def costs(self, genes: Genes) -> Floats:
        """(n, m) normalised costs."""
        columns = [self._normalised(name, genes) for name in self.cost_names]
        return np.stack(columns, axis=1) if columns else np.zeros((len(genes), 0))

    def excess(self, genes: Genes) -> Floats:
        """(n,) by how much budgets of costs are exceeded, relative and summed; 0 within all budgets.

        Infinite where an objective has no value.
        """
        over = np.maximum(self._shares(genes) - 1.0, 0.0).sum(axis=0)
        return np.asarray(np.where(self._without_value(genes), np.inf, over))

    def used(self, genes: Genes) -> Floats:
        """(n,) the largest share of a cost's budget that each network takes; 0 where no cost has one.

        Infinite where an objective has no value.
        """
        used = self._shares(genes).max(axis=0, initial=0.0)
        return np.asarray(np.where(self._without_value(genes), np.inf, used))

    @cached_property
    def functions(self) -> dict[str, NetworkValues]:
        """The objectives that may have no value for a network: functions of whole networks."""
        found = {name: o.evaluate for name, o in self.objectives.items()}
        return {name: values for name, values in found.items() if isinstance(values, NetworkValues)}

    def why_without_value(self, genes: Genes) -> str:
        """Of one network, (1, n_genes): which objective has no value, and why; "" where all have one."""
        for name, values in self.functions.items():
            if np.isnan(values(genes)[0]):
                return f"objective {name}: {values.why(genes)}"
        return ""

    def _without_value(self, genes: Genes) -> NDArray[np.bool_]:
        """(n,)."""
        missing = np.zeros(len(genes), bool)
        for values in self.functions.values():
            missing |= np.isnan(values(genes))
        return missing

    def _shares(self, genes: Genes) -> Floats:
        """(b, n) the share of each of the b budgets of costs that a network takes; beyond 1 it breaks the budget."""
        limits = [(o, self.budget[name]) for name, o in self.objectives.items() if name in self.budget]
        shares = [share_of(o.evaluate(genes), limit, o.minimise) for o, limit in limits if o.evaluate is not None]
        return np.array(shares, float).reshape(len(shares), len(genes))

    def score(self, top1: Floats, genes: Genes) -> Floats:
        """(n,) what is maximised: accuracy, or the scalarised objective."""
        return top1 * self.factor(genes)

    def factor(self, genes: Genes) -> Floats:
        """(n,) what accuracy is multiplied by: 1 unless scalarised."""
        if self.scalarise is None:
            return np.ones(len(genes))
        evaluate = self.objectives[self.scalarise.objective].evaluate
        assert evaluate is not None  # the configuration allows costs only
        return np.asarray((evaluate(genes) / self.scalarise.target) ** self.scalarise.exponent)

    def scale(self, history: History) -> tuple[float, float]:
        """(worst, best) score that become loss 1 and 0."""
        worst, best = self.top1_range or self._anchored(history.done)
        return max(worst, self.budget.get(TOP1, worst)), best

    def loss(self, top1: Floats, genes: Genes, scale: tuple[float, float]) -> Floats:
        """(n,) normalised loss on a `scale`."""
        worst, best = scale
        return (best - self.score(top1, genes)) / (best - worst)

    def front(self, history: History) -> tuple[History, Floats]:
        """The nondominated networks within budget and their (n, 1 + m) normalised loss and costs."""
        done, F = self.normalised(history)
        best = nondominated(F)
        return History(done.genes[best], done.top1[best]), F[best]

    def normalised(self, history: History) -> tuple[History, Floats]:
        """The evaluated networks within budget and their (n, 1 + m) normalised loss and costs."""
        done = history.done
        inside = self.excess(done.genes) <= 0
        if TOP1 in self.budget:
            inside &= done.top1 >= self.budget[TOP1]
        done = History(done.genes[inside], done.top1[inside])
        loss = self.loss(done.top1, done.genes, self.scale(history))
        return done, np.column_stack([loss, self.costs(done.genes)])

    def hypervolume(self, history: History) -> float:
        """Of the networks within budget, against the fixed reference."""
        return hypervolume(self.normalised(history)[1])

    def _normalised(self, name: str, genes: Genes) -> Floats:
        objective = self.objectives[name]
        assert objective.evaluate is not None  # costs are looked up
        best, worst = (objective.low, objective.high) if objective.minimise else (-objective.high, -objective.low)
        sign = 1.0 if objective.minimise else -1.0
        worst = min(worst, sign * self.budget.get(name, sign * worst))
        return (sign * objective.evaluate(genes) - best) / max(worst - best, 1e-12)

    def _anchored(self, done: History) -> tuple[float, float]:
        """Scores of the smallest and the largest network; what failed or makes no sense is replaced by 0 or 100."""
        scores = self.score(done.top1, done.genes)
        found = [scores[(done.genes == anchor).all(axis=1)] for anchor in self.anchors]
        worst, best = (float(x[0]) if len(x) else limit for x, limit in zip(found, (0.0, 100.0), strict=True))
        if self.scalarise is not None:
            worst, best = min(worst, best), 100.0
        return worst, best if best > worst else max(100.0, worst + 1.0)


def share_of(values: Floats, limit: float, minimise: bool) -> Floats:
    """The share of a limit that values take; beyond 1 they break it."""
    return values / limit if minimise else 2.0 - values / limit


def check_budget(objective: Objective, limit: float) -> None:
    """BadInput if no network of the space keeps the limit."""
    name, unit = objective.name, objective.unit
    if objective.minimise and limit < objective.least:
        raise BadInput(
            f"budget {name} = {limit:g} is below the space's smallest network",
            f"at least {_upwards(objective.least)} {unit}".rstrip(),
        )
    if not objective.minimise and limit > objective.most:
        got = f"budget {name} = {limit:g} is above the space's best network"
        raise BadInput(got, f"at most {objective.most:.4g} {unit}".rstrip())


def _upwards(value: float) -> str:
    """Four digits, rounded up, so that what is said to be allowed is."""
    if value == round(value) or value <= 0:
        return f"{value:.0f}"
    unit = 10.0 ** (np.floor(np.log10(value)) - 3)
    return f"{np.ceil(value / unit) * unit:.{max(0, int(3 - np.floor(np.log10(value))))}f}"
