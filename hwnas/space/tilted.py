"""The share of a space within a tight budget: importance sampling by exponential tilting.

    N  networks   c (J,) costs that are sums over layers, in units of their spread   t (J,) tilt, 0 or more
    R  resolutions   S  slots   C  choices of a slot   n  draws
    q(x) = exp(-t . c(x)) / Z      Z the sum over all networks, exactly, since slots are independent given a resolution
    share = Z / N . mean over draws of q of [x keeps the budget] exp(t . c(x))

t minimises log Z + t . limit: the mean costs of q are then at the limits. Costs that are no such sums (the largest of
the layers, functions of networks) only say whether a draw keeps the budget; a calibrated sum is tilted by the sum.
Source: Asmussen and Glynn, Stochastic Simulation (2007), section VI.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, log, sqrt
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.space.cost import CostArray

Floats = NDArray[np.float64]
Genes = NDArray[np.integer[Any]]
Z95 = 1.96  # of a 95 % interval
_MOST = 1e7  # tilt, beyond which only the cheapest network is left
_STEPS, _HALVINGS, _RIDGE = 40, 30, 1e-9  # of Newton's method
_CLOSE = 0.1  # standard deviations of a cost: nearer to the optimum it makes no difference


class TiltedSpace(Protocol):
    """What is asked of a `SearchSpace`."""

    @property
    def size(self) -> int:
        """Number of networks."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Options of each attribute."""

    @property
    def depth_choices(self) -> tuple[tuple[int, ...], ...]:
        """Of each stage."""

    @property
    def capacity(self) -> tuple[int, ...]:
        """Slots of each stage."""

    def present(self, depths: Any) -> NDArray[np.bool_]:
        """(n, S) of (n, stages) depths."""

    def keep(self, genes: Genes, present: NDArray[np.bool_]) -> Genes:
        """Genes with zeros in the slots that are not present."""

    def choices(self, genes: Genes) -> Genes:
        """(n, S) for look-ups."""


class Estimate(NamedTuple):
    """A share with its 95 % interval, and the number of draws that kept the budget."""

    share: float
    low: float
    high: float
    kept: int


@dataclass(frozen=True, eq=False)
class Tilted:
    """The distribution q of networks: costs (J of them, each divided by its spread) and tilt (J,)."""

    space: TiltedSpace
    costs: Sequence[CostArray]
    tilt: Floats

    @cached_property
    def _energy(self) -> tuple[Floats, Floats]:
        """Energies t . c of the fixed layers (R,), and of each slot's choices (S, R, C)."""
        base = sum(t * cost.base for t, cost in zip(self.tilt, self.costs, strict=True))
        slots = sum(t * _by_choice(cost) for t, cost in zip(self.tilt, self.costs, strict=True))
        return np.asarray(base, float), np.asarray(slots, float)

    @cached_property
    def _slots(self) -> Floats:
        """(S, R) log sums over a slot's choices."""
        return _log_sum(-self._energy[1], axis=2)

    @cached_property
    def _depths(self) -> list[Floats]:
        """Of each stage (depths, R): log sums over all that a stage of that depth may be."""
        found: list[Floats] = []
        start = 0
        for depths, slots in zip(self.space.depth_choices, self.space.capacity, strict=True):
            upto = np.cumsum(self._slots[start : start + slots], axis=0)
            found.append(upto[np.array(depths) - 1])
            start += slots
        return found

    @cached_property
    def _resolutions(self) -> Floats:
        """(R,) log sums over all networks of a resolution."""
        return np.asarray(-self._energy[0] + sum(_log_sum(stage, axis=0) for stage in self._depths), float)

    @property
    def log_z(self) -> float:
        """The log of Z."""
        return float(_log_sum(self._resolutions, axis=0))

    def means(self) -> Floats:
        """(J,) mean costs."""
        by_slot = _softmax(-self._energy[1], axis=2)  # (S, R, C)
        there = np.concatenate([self._there(i) for i in range(len(self._depths))])  # (S, R)
        of_r = _softmax(self._resolutions, axis=0)
        found = [c.base + (there * (by_slot * _by_choice(c)).sum(axis=2)).sum(axis=0) for c in self.costs]
        return np.array([of_r @ mean for mean in found])

    def _there(self, stage: int) -> Floats:
        """(slots, R) the probability that each slot of a stage has a layer."""
        depths, shares = np.array(self.space.depth_choices[stage]), _softmax(self._depths[stage], axis=0)
        return np.array([shares[depths > slot].sum(axis=0) for slot in range(self.space.capacity[stage])])

    def draw(self, n: int, rng: np.random.Generator) -> Genes:
        """(n, n_genes) networks."""
        counts = rng.multinomial(n, _softmax(self._resolutions, axis=0))
        return np.concatenate([self._draw(r, int(k), rng) for r, k in enumerate(counts) if k])

    def _draw(self, r: int, n: int, rng: np.random.Generator) -> Genes:
        depths = [
            np.array(allowed)[_pick(_softmax(stage[:, r], axis=0), n, rng)]
            for allowed, stage in zip(self.space.depth_choices, self._depths, strict=True)
        ]
        shares = _softmax(-self._energy[1][:, r], axis=1)
        chosen = np.stack([_pick(share, n, rng) for share in shares], axis=1)  # (n, S)
        genes = np.concatenate([np.full((n, 1), r), *np.unravel_index(chosen, self.space.counts)], axis=1) + 1
        return self.space.keep(genes, self.space.present(np.stack(depths, axis=1)))

    def log_weights(self, genes: Genes) -> Floats:
        """(n,) log of how much likelier each is when all networks are equally likely."""
        r, choices = genes[:, 0], self.space.choices(genes)
        energy = sum(t * cost.evaluate(r, choices) for t, cost in zip(self.tilt, self.costs, strict=True))
        return np.asarray(energy + self.log_z - log(self.space.size), float)


def tilted_to(start: Tilted, limits: Floats) -> Tilted:
    """The tilt at which the mean costs are at most at their limits (J,), by Newton's method.

    The dual, log Z + t . limits, is convex; its gradient is limits - means, its Hessian the costs' covariance.
    """
    at = start
    for _ in range(_STEPS):
        gradient = limits - at.means()
        free = (at.tilt > 0) | (gradient < 0)
        if not free.any():
            break
        step = np.zeros(len(limits))
        step[free] = -np.linalg.solve(_covariance(at, free), gradient[free])
        if -(gradient @ step) < _CLOSE**2:
            break
        at = _shorter(at, step, limits)
    return at


def _covariance(at: Tilted, free: NDArray[np.bool_]) -> Floats:
    """(F, F) of the free costs, by differences of their means."""
    columns, width = [], 1e-4 * (1.0 + float(at.tilt.max()))
    for j in np.flatnonzero(free):
        moved = at.tilt.copy()
        moved[j] += width
        columns.append((at.means() - Tilted(at.space, at.costs, moved).means())[free] / width)
    found = np.stack(columns, axis=1)
    return np.asarray((found + found.T) / 2 + _RIDGE * np.eye(len(columns)))


def _shorter(at: Tilted, step: Floats, limits: Floats) -> Tilted:
    """A step, halved until it lowers the dual."""
    before = at.log_z + float(at.tilt @ limits)
    for _ in range(_HALVINGS):
        new = Tilted(at.space, at.costs, np.clip(at.tilt + step, 0.0, _MOST))
        if new.log_z + float(new.tilt @ limits) < before:
            return new
        step = step / 2
    return at


def estimate(log_weights: Floats, kept: NDArray[np.bool_]) -> Estimate:
    """The share from draws of q and whether they keep the budget; the interval is that of its logarithm."""
    weights = np.where(kept, np.exp(log_weights), 0.0)
    count, share = int(kept.sum()), float(weights.mean())
    if not count:
        return Estimate(0.0, 0.0, 0.0, 0)
    factor = exp(min(Z95 * float(weights.std()) / (share * sqrt(len(weights))), 50.0))
    return Estimate(share, share / factor, min(share * factor, 1.0), count)


def _by_choice(cost: CostArray) -> Floats:
    """(S, R, C)."""
    return cost.cost.reshape(*cost.cost.shape[:2], -1)


def _log_sum(x: Floats, axis: int) -> Floats:
    top = x.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(x - top).sum(axis=axis)) + top.squeeze(axis))


def _softmax(x: Floats, axis: int) -> Floats:
    shares = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(shares / shares.sum(axis=axis, keepdims=True))


def _pick(shares: Floats, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(n,) indices, each drawn with its share."""
    found = np.searchsorted(np.cumsum(shares), rng.random(n), side="right")
    return np.minimum(found, len(shares) - 1)
