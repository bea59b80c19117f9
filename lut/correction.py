"""What is added to the sum of a network's layers: a calibration and an interval, both fitted on whole networks.

    s  (n,) sum of the layers, ms      y  (n,) measured, ms      t  (n, 4) terms: s, layers, 1, resolution
    w  (4,) weights of the correction: prediction = s + t w

The weights minimise the relative squared error plus a ridge that pulls them to 0, so that little data corrects little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lut.protocols import Floats

TERMS = ("sum", "layers", "constant", "resolution")
_SUBSETS = ((0,), (0, 2), (0, 1, 2), (0, 1, 2, 3))
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
_GAIN = 0.97  # a correction must lower the cross-validated error at least to this share, or it is noise
_LEAST = 0.05  # a correction never brings a prediction below this share of the sum


@dataclass(frozen=True)
class Calibration:
    """prediction = sum + weights . (sum, layers, 1, resolution); errors are relative, r.m.s., leave-one-out."""

    weights: tuple[float, float, float, float]
    networks: int
    error_before: float
    error_after: float

    def apply(self, sums: Floats, layers: ArrayLike, resolution: ArrayLike) -> Floats:
        """(n,) corrected milliseconds."""
        corrected: Floats = sums + _terms(sums, layers, resolution) @ np.array(self.weights)
        return np.where(corrected > _LEAST * sums, corrected, _LEAST * sums)


@dataclass(frozen=True)
class Interval:
    """A network's latency lies within prediction x lower .. upper, with probability `coverage`."""

    lower: float
    upper: float
    coverage: float
    networks: int
    source: str = "split conformal"


def fit_calibration(sums: Floats, layers: ArrayLike, resolution: ArrayLike, measured: Floats) -> Calibration | None:
    """The correction with the least leave-one-out error, or None where none helps clearly (or n < 8)."""
    if len(sums) < 8:
        return None
    terms, before = _terms(sums, layers, resolution), _rms((measured - sums) / sums)
    tried = [(*_ridge(terms, sums, measured, list(s), r), s) for s in _SUBSETS for r in _RIDGES]
    after, weights, subset = min(tried, key=lambda t: t[0])
    if not after <= _GAIN * before:
        return None
    full = np.zeros(len(TERMS))
    full[list(subset)] = weights
    a, b, c, d = full.tolist()
    return Calibration((a, b, c, d), len(sums), before, after)


def fit_interval(predicted: Floats, measured: Floats, coverage: float = 0.95) -> Interval | None:
    """Split conformal: the ceil((n + 1) coverage)-th smallest relative residual; None if n is too small for it.

    Source: Lei et al. 2018, distribution-free predictive inference. The networks must have served nothing else.
    """
    residuals = np.sort(np.abs(measured - predicted) / predicted)
    rank = math.ceil((len(residuals) + 1) * coverage)
    if rank > len(residuals):
        return None
    width = float(residuals[rank - 1])
    return Interval(max(0.0, 1 - width), 1 + width, coverage, len(residuals))


def _terms(sums: Floats, layers: ArrayLike, resolution: ArrayLike) -> Floats:
    columns = [sums, np.asarray(layers, float), np.ones(len(sums)), np.asarray(resolution, float)]
    return np.stack(columns, axis=1)


def _ridge(terms: Floats, sums: Floats, measured: Floats, subset: list[int], ridge: float) -> tuple[float, Floats]:
    """Leave-one-out error (by the hat matrix) and weights; each term scaled to a relative effect of about one."""
    x, y = terms[:, subset] / sums[:, None], (measured - sums) / sums
    scale = np.sqrt((x**2).mean(axis=0))
    x = x / scale
    inverse = np.linalg.inv(x.T @ x + ridge * np.eye(len(subset)))
    weights = inverse @ x.T @ y
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    return _rms((y - x @ weights) / (1 - leverage)), weights / scale


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))
