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
COVERAGE = 0.95
LEAST_FOR_INTERVAL = 5
_LEAST_OWN = 0.25  # share of the residuals' variance that is never put down to their own rounds
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


def fit_interval(
    predicted: Floats, measured: Floats, *, parameters: int = 1, shared: float = 0.0, sampling: float = 0.0,
    elsewhen: float = 0.0, source: str = "held-out groups",
) -> Interval | None:  # fmt: skip
    """The relative width that holds for 95 % of new networks; None below `LEAST_FOR_INTERVAL` networks.

    The geometric mean of two: split conformal, the ceil((n + 1) 0.95)-th smallest residual, and Student's quantile
    times the residuals' root mean square; the latter alone below 19 networks, where there is no such residual. One
    residual is a noisy end, and a root mean square trusts the normal distribution. How often 92 to 99 % of 150 new
    networks were inside, for 54, 90 and 160 networks with normal residuals: conformal alone .75 .85 .89, the wider of
    both .78 .89 .91, their mean .85 .89 .91; with Student's t of 5 degrees .76 .86 .88, .76 .86 .90, .83 .87 .87.

    Args:
        predicted: (n,) by something that had not seen the network, ms.
        measured: (n,) ms.
        parameters: what the prediction was fitted with, taken from Student's degrees of freedom.
        shared: standard error, relative, of what all n networks share but a new one does not.
        sampling: standard error, relative, of the n measurements by their own rounds, as far as a new network's
            measurement has less; its part of the residuals is taken off.
        elsewhen: standard deviation, relative, of what is new where a network is measured in other minutes.
        source: what to call it.

    Source: Lei et al. 2018, distribution-free predictive inference.
    """
    from scipy.stats import t as student

    residuals = np.sort(np.abs(measured - predicted) / predicted)
    n = len(residuals)
    if n < LEAST_FOR_INTERVAL:
        return None
    rms = _rms(residuals)
    quantile = float(student.ppf((1 + COVERAGE) / 2, max(n - parameters, 2)))
    rank = math.ceil((n + 1) * COVERAGE)
    own = math.sqrt(quantile * rms * float(residuals[rank - 1])) if rank <= n else quantile * rms
    own *= math.sqrt(max(1 - (sampling / rms) ** 2, _LEAST_OWN)) if rms > 0 else 1.0
    width = math.hypot(own, quantile * shared, quantile * elsewhen)
    return Interval(max(0.0, 1 - width), 1 + width, COVERAGE, n, source)


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
