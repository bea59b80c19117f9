"""Layer times reconciled with networks measured end to end, for runtimes and networks whose traces are not exact.

    n  networks      K  layers by key      A (n, K)  how often a network has a layer
    x0 (K,)  traced times, ms      y (n,)  measured, ms      s = A x0      r = y / s - 1      C  covers

The traced times are the mean of a Gaussian process. A layer's true time is x0 (1 + an independent error of t + another
of c that it shares with what was observed in the same cover), plus a linear effect of what the layer does
(`lut.estimate.kernels.features`) of size a, times a common scale of size `SCALE`. Networks are measured with error of
e; those that were timed together share another of u (the state of the machine at that time), which says nothing about
layers. Covering networks, timed beside traced ones, share another of `COVERS`: the scale is that of the others, which
are timed as a user's are. a, t, e, u and c are those under which r is most likely: where tracing is exact (networks of
milliseconds) next to nothing but the scale changes, and where it is not (networks of microseconds, covers made under
contention) the networks measured end to end decide. Source: Rasmussen and Williams 2006, chapters 2 and 5.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lut.estimate.kernels import features
from lut.estimate.networks import Networks
from lut.protocols import Floats, Layer
from lut.table.entry import Entry

FEATURE_SIZES = (0.0, 0.01, 0.03, 0.1, 0.3)  # a, relative to the network's time
LAYER_SIZES = (0.003, 0.01, 0.03, 0.1)  # t, relative to the layer's
NOISE_SIZES = (0.005, 0.01, 0.02, 0.04)  # e
GROUP_SIZES = (0.0, 0.003, 0.01, 0.03)  # u
COVER_SIZES = (0.0, 0.01, 0.03, 0.1)  # c
_MOST_NUMBERS = 2_000_000  # of covariances at once: 16 MB
SCALE = 0.05
COVERS = 0.03
_LEAST_SHARE = 0.1  # a layer that would keep less of its time: the features do not explain this table


class Sizes(NamedTuple):
    """a, t, e, u and c; all 0: nothing was changed."""

    feature: float = 0.0
    layer: float = 0.0
    noise: float = 0.0
    group: float = 0.0
    cover: float = 0.0


@dataclass(frozen=True)
class Reconciled:
    """New entries and the sizes that were found."""

    entries: dict[str, Entry]
    sizes: Sizes


def reconcile(
    entries: Mapping[str, Entry],
    layers: Mapping[str, Layer],
    networks: Networks,
    batch: int,
    covers: Mapping[str, Sequence[int]] | None = None,
    sizes: Sizes | None = None,
) -> Reconciled:
    """Reconcile entries with networks.

    Args:
        entries: by key; all keys of `networks` are among them.
        layers: the layer of each key.
        networks: covering ones and others.
        batch: images a run.
        covers: by key, the cover of each observation.
        sizes: taken as they are, where they are known already (by more networks, with which every layer kept enough).
    """
    keys = list(entries)
    x0 = np.array([entries[k].ms for k in keys])
    once = [float(layers[k].kind == "linear") for k in keys]  # every network has one classifier: a constant
    effects = np.column_stack([[features(layers[k], batch) for k in keys], once])
    problem = _Problem(_counts(keys, networks.keys), x0, effects, networks, _seen_in(keys, covers or {}))
    for found in problem.by_likelihood() if sizes is None else [sizes]:
        x = x0 + problem.correction(found)
        if sizes is not None or (x >= _LEAST_SHARE * x0).all():
            return Reconciled(_scaled(entries, np.maximum(x, _LEAST_SHARE * x0)), found)
    return Reconciled(dict(entries), Sizes())


def _scaled(entries: Mapping[str, Entry], times: Floats) -> dict[str, Entry]:
    return {k: Entry(ms, e.se * ms / e.ms, e.n) for (k, e), ms in zip(entries.items(), times.tolist(), strict=True)}


class _Problem:
    def __init__(self, counts: Floats, x0: Floats, effects: Floats, networks: Networks, seen_in: Floats) -> None:
        sums = counts @ x0
        self.x0, self.r = x0, networks.ms / sums - 1
        self.shares = counts * x0 / sums[:, None]  # (n, K)
        shifts = counts @ effects / sums[:, None]
        scale = np.sqrt((shifts**2).mean(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        self.effects, self.shifts = effects / scale, shifts / scale  # (K, F), (n, F)
        self.seen_in, self.of_cover = seen_in, self.shares @ seen_in  # (K, C), (n, C)
        self.by_layer, self.by_feature = self.shares @ self.shares.T, self.shifts @ self.shifts.T
        self.by_cover = self.of_cover @ self.of_cover.T
        self.by_group = (networks.group[:, None] == networks.group).astype(float)
        covers = networks.cover.astype(float)
        mixed = 0 < covers.sum() < len(covers)
        # covers alone must give the scale themselves
        self.fixed = SCALE**2 + COVERS**2 * np.outer(covers, covers) * mixed

    def by_likelihood(self) -> Iterable[Sizes]:
        """The likeliest first."""
        covers = COVER_SIZES if self.seen_in.any() else (0.0,)
        grid = list(itertools.product(FEATURE_SIZES, LAYER_SIZES, NOISE_SIZES, GROUP_SIZES, covers))
        order = np.argsort(-self.log_likelihoods(np.array(grid)), kind="stable")
        return (Sizes._make(grid[i]) for i in order)

    def covariances(self, sizes: Floats, basis: Floats) -> Floats:
        """(M, R, R) of the networks' errors in an orthonormal (n, R) basis, for (M, 5) sizes."""
        feature, layer, noise, group, cover = sizes.T**2
        parts = [self.by_feature, self.by_layer, self.by_group, self.by_cover, self.fixed]
        projected = np.stack([basis.T @ part @ basis for part in parts])
        weights = np.stack([feature, layer, group, cover, np.ones(len(sizes))], axis=1)
        found: Floats = np.tensordot(weights, projected, axes=1)
        found += noise[:, None, None] * np.eye(basis.shape[1])
        return found

    def log_likelihoods(self, sizes: Floats) -> Floats:
        """(M,) for (M, 5) sizes, in the span of what varies together: outside it there is only noise."""
        basis = self._span()
        at_once = max(1, _MOST_NUMBERS // basis.shape[1] ** 2)
        batches = [sizes[i : i + at_once] for i in range(0, len(sizes), at_once)]
        return np.concatenate([self._log_likelihoods(batch, basis) for batch in batches])

    def _log_likelihoods(self, sizes: Floats, basis: Floats) -> Floats:
        from scipy.linalg import solve_triangular

        inside, noise = basis.T @ self.r, sizes[:, 2]
        roots = np.linalg.cholesky(self.covariances(sizes, basis))
        whitened = [solve_triangular(root, inside, lower=True, check_finite=False) for root in roots]
        explained = np.square(whitened).sum(axis=1) + (self.r @ self.r - inside @ inside) / noise**2
        halves = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
        found: Floats = -0.5 * explained - halves - (len(self.r) - len(inside)) * np.log(noise)
        return found

    def _span(self) -> Floats:
        """(n, R) orthonormal: of all covariances but the noise's."""
        columns = np.hstack([self.shares, self.shifts, self.by_group, self.fixed])
        basis, values, _ = np.linalg.svd(columns, full_matrices=False)
        found: Floats = basis[:, values > 1e-12 * values[0]]
        return found

    def correction(self, sizes: Sizes) -> Floats:
        """(K,) posterior mean of what is to be added to x0."""
        whole = np.eye(len(self.r))
        weights = np.linalg.solve(self.covariances(np.array([sizes]), whole)[0], self.r)
        by_feature, by_layer = self.effects @ (self.shifts.T @ weights), self.x0 * (self.shares.T @ weights)
        by_cover = self.x0 * (self.seen_in @ (self.of_cover.T @ weights))
        added: Floats = sizes.feature**2 * by_feature + sizes.layer**2 * by_layer + sizes.cover**2 * by_cover
        added += SCALE**2 * self.x0 * weights.sum()
        return added


def _counts(keys: Sequence[str], networks: Sequence[Sequence[str]]) -> Floats:
    index = {k: i for i, k in enumerate(keys)}
    counts = np.zeros((len(networks), len(keys)))
    for row, network in zip(counts, networks, strict=True):
        np.add.at(row, [index[k] for k in network], 1)
    return counts


def _seen_in(keys: Sequence[str], covers: Mapping[str, Sequence[int]]) -> Floats:
    """(K, C) the share of a layer's observations that each cover gave."""
    index = {c: i for i, c in enumerate(sorted({c for seen in covers.values() for c in seen}))}
    shares = np.zeros((len(keys), len(index)))
    for row, key in zip(shares, keys, strict=True):
        for cover in (seen := covers.get(key, ())):
            row[index[cover]] += 1 / len(seen)
    return shares
