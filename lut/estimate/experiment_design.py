"""Which networks to measure, where only few can be: the most informative about all others (`hwnas lut plan`).

    N  candidates      X (N, F)  physical features, each row divided by the network's rough time, whitened
    K (N, N)  prior covariance of relative times: what is linear in X, and what a linear model misses (smooth in X)
    C (N, N)  what is left of it when the networks chosen so far are measured with noise

Each step takes the candidate that lowers the mean variance over all candidates most (Bayesian I-optimality). The misfit
is part of the model, because optimal designs for the linear part alone choose extremes, where a linear model is worst.
How the constants were chosen, and how much better than random the choice is, stands in docs/measurement.md.
Source: Chaloner and Verdinelli 1995, Bayesian experimental design; Krause et al. 2008 for the greedy choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lut.estimate.few_shot import features_of
from lut.protocols import Floats, Space
from profilers.errors import BadInput, check_least

CANDIDATES = 2500
MISFIT = 1.0  # variance of what is not linear, relative to the linear part's
NOISE = 1.0  # variance of a measurement, relative to the linear part's
LENGTH = 1.0  # of the misfit's correlation, in standard deviations a feature
_GB_S, _GMAC_S = 400.0, 5000.0  # of a mid-range card, for the rough times


def plan(
    space: Space, n: int, batch: int = 64, *, among: Sequence[Any] | None = None, seed: int = 0
) -> tuple[list[Any], list[float]]:
    """The n most informative networks, best first, and the share of the variance that is left after each.

    Args:
        space: where to choose.
        n: how many.
        batch: images a run.
        among: architectures to choose from; by default 2,500 random ones.
        seed: of those.

    Raises:
        BadInput: fewer than 1 network, or more than there are to choose from; a batch below 1, a negative seed.
    """
    check_least(0, seed=seed)
    check_least(1, batch=batch)
    archs = list(among) if among is not None else _random(space, seed)
    if not 1 <= n <= min(len(archs), CANDIDATES):
        raise BadInput(f"{n} networks to measure", f"1 to {min(len(archs), CANDIDATES)}")
    if len(archs) > CANDIDATES:
        archs = [archs[i] for i in np.random.default_rng(seed).permutation(len(archs))[:CANDIDATES]]
    chosen, left = _greedy(_whitened(features_of(space, archs, batch)), n)
    return [archs[i] for i in chosen], left


def _random(space: Space, seed: int) -> list[Any]:
    return list(space.decode(space.sample(CANDIDATES, np.random.default_rng(seed))))


def _whitened(features: Floats) -> Floats:
    """(N, F) rows relative to the network's rough time, then rotated to uncorrelated columns of unit mean square."""
    traffic, work = features[:, 2:7].sum(axis=1), features[:, :2].sum(axis=1)
    rows = features / (traffic / _GB_S + work / _GMAC_S)[:, None]
    left, scale, _ = np.linalg.svd(rows / np.maximum(rows.max(axis=0), 1e-12), full_matrices=False)
    kept: Floats = left[:, scale > 1e-9 * scale[0]] * np.sqrt(len(rows))
    return kept


def _greedy(x: Floats, n: int) -> tuple[list[int], list[float]]:
    f = x.shape[1]
    squares = (x**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0.0) / f
    c = x @ x.T / f + MISFIT * np.exp(-distance / (2 * LENGTH**2))
    before, chosen, left = float(np.trace(c)), list[int](), list[float]()
    for _ in range(n):
        gain = (c**2).sum(axis=0) / (np.diag(c) + NOISE)
        gain[chosen] = -np.inf
        best = int(gain.argmax())
        chosen.append(best)
        c = c - np.outer(c[:, best], c[best]) / (c[best, best] + NOISE)
        left.append(float(np.trace(c)) / before)
    return chosen, left
