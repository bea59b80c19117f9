"""Layer times reconciled with the times of whole networks, for runtimes and networks whose traces are not exact.

    n  networks      K  layers by key      A (n, K)  how often a network has a layer
    x0 (K,)  traced times, ms      y (n,)  measured, ms      s = A x0      r = y / s - 1

The traced times are the mean of a Gaussian process: a layer's true time is x0 (1 + independent error of t), plus a
linear effect of what the layer does (`lut.kernels.features`) of size a, times a common level of size `LEVEL`; networks
are measured with error of e, and those that were timed together share another of u (how the sentinels lay in memory, a
minute's mood of the machine), which says nothing about layers. Covering networks, timed beside traced ones, share
another of `COVERS`: the level is that of the others, which are timed as a user's are. a, t, e and u are those under
which r is most likely, so that where tracing is exact (networks of milliseconds) next to nothing but the level changes,
and where it is not (networks of microseconds) the whole networks decide.
Source: Rasmussen and Williams 2006, chapters 2 and 5.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lut.kernels import features
from lut.protocols import Floats, Layer
from lut.table import Entry

FEATURE_SIZES = (0.0, 0.01, 0.03, 0.1, 0.3)  # a, relative to the network's time
LAYER_SIZES = (0.003, 0.01, 0.03, 0.1)  # t, relative to the layer's
NOISE_SIZES = (0.005, 0.01, 0.02, 0.04)  # e
GROUP_SIZES = (0.0, 0.003, 0.01, 0.03)  # u
LEVEL = 0.05
COVERS = 0.03
_LEAST_SHARE = 0.1  # a layer that would keep less of its time: the features do not explain this table


class Timed(NamedTuple):
    """A network: its layers' keys, measured milliseconds, which were timed together, and whether it is a cover's."""

    keys: Sequence[str]
    ms: float
    group: int
    cover: bool = False


@dataclass(frozen=True)
class Refined:
    """New entries and the sizes a, t, e, u that were found (all 0: nothing was changed)."""

    entries: dict[str, Entry]
    feature_size: float
    layer_size: float
    noise_size: float
    group_size: float


def refine(
    entries: Mapping[str, Entry],
    layers: Mapping[str, Layer],
    networks: Sequence[Timed],
    batch: int,
) -> Refined:
    """Reconcile entries with networks.

    Args:
        entries: by key; all keys of `networks` are among them.
        layers: the layer of each key.
        networks: covering and fresh ones.
        batch: images a run.
    """
    keys = list(entries)
    x0 = np.array([entries[k].ms for k in keys])
    once = [float(layers[k].kind == "linear") for k in keys]  # every network has one classifier: a constant
    effects = np.column_stack([[features(layers[k], batch) for k in keys], once])
    problem = _Problem(_counts(keys, [n.keys for n in networks]), x0, effects, networks)
    for sizes in problem.by_likelihood():
        x = x0 + problem.correction(*sizes)
        if (x >= _LEAST_SHARE * x0).all():
            new = {k: _scaled(entries[k], ms) for k, ms in zip(keys, x.tolist(), strict=True)}
            return Refined(new, *sizes)
    return Refined(dict(entries), 0.0, 0.0, 0.0, 0.0)


def _scaled(entry: Entry, ms: float) -> Entry:
    return Entry(ms, entry.se * ms / entry.ms, entry.n)


class _Problem:
    def __init__(self, counts: Floats, x0: Floats, effects: Floats, networks: Sequence[Timed]) -> None:
        sums = counts @ x0
        self.x0, self.r = x0, np.array([n.ms for n in networks]) / sums - 1
        self.shares = counts * x0 / sums[:, None]  # (n, K)
        shifts = counts @ effects / sums[:, None]
        scale = np.sqrt((shifts**2).mean(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        self.effects, self.shifts = effects / scale, shifts / scale  # (K, F), (n, F)
        self.by_layer, self.by_feature = self.shares @ self.shares.T, self.shifts @ self.shifts.T
        groups, covers = np.array([n.group for n in networks]), np.array([float(n.cover) for n in networks])
        self.by_group = (groups[:, None] == groups).astype(float)
        mixed = 0 < covers.sum() < len(covers)
        # covers alone must give the level themselves
        self.fixed = LEVEL**2 + COVERS**2 * np.outer(covers, covers) * mixed

    def by_likelihood(self) -> list[tuple[float, float, float, float]]:
        """(a, t, e, u), the likeliest first."""
        grid = list(itertools.product(FEATURE_SIZES, LAYER_SIZES, NOISE_SIZES, GROUP_SIZES))
        return sorted(grid, key=lambda sizes: -self.log_likelihood(*sizes))

    def covariance(self, a: float, t: float, e: float, u: float) -> Floats:
        known: Floats = a**2 * self.by_feature + t**2 * self.by_layer + u**2 * self.by_group
        known += self.fixed + e**2 * np.eye(len(self.r))
        return known

    def log_likelihood(self, a: float, t: float, e: float, u: float) -> float:
        from scipy.linalg import cholesky, solve_triangular

        root = cholesky(self.covariance(a, t, e, u), lower=True, overwrite_a=True, check_finite=False)
        whitened = solve_triangular(root, self.r, lower=True, check_finite=False)
        return float(-0.5 * whitened @ whitened - np.log(np.diag(root)).sum())

    def correction(self, a: float, t: float, e: float, u: float) -> Floats:
        """(K,) posterior mean of what is to be added to x0."""
        weights = np.linalg.solve(self.covariance(a, t, e, u), self.r)
        by_feature, by_layer = self.effects @ (self.shifts.T @ weights), self.x0 * (self.shares.T @ weights)
        added: Floats = a**2 * by_feature + t**2 * by_layer + LEVEL**2 * self.x0 * weights.sum()
        return added


def _counts(keys: Sequence[str], networks: Sequence[Sequence[str]]) -> Floats:
    index = {k: i for i, k in enumerate(keys)}
    counts = np.zeros((len(networks), len(keys)))
    for row, network in zip(counts, networks, strict=True):
        np.add.at(row, [index[k] for k in network], 1)
    return counts
