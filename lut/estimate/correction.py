"""What is added to the sum of a network's layers: a calibration and an interval, fitted on networks end to end.

    s  (n,) sum of the layers, ms      y  (n,) measured, ms      t  (n, 4) terms: s, layers, 1, resolution
    w  (4,) weights of the correction: prediction = s + t w

The weights minimise the relative squared error plus a ridge that pulls them to 0, so that little data corrects little.

The interval in words: predict networks that the fit has not seen, look how far off it is, and take a width that would
have held for 95 % of them. Two estimates of that width are combined by their geometric mean:

    conformal   the ceil((n + 1) 0.95)-th smallest residual: right whatever the distribution, but it hangs on a single
                network, and below 19 networks there is none
    Student     the 97.5 % quantile of Student's t times the root mean square of all residuals: steadier, but right only
                as far as residuals are normal

From it the part that is only the noise of these measurements is taken off, and what they could not show is added: the
error that all of them share, and how much a latency changes from one session to the next. How well the combination
covers is in docs/measurement.md. Source: Lei et al. 2018, distribution-free predictive inference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import ArrayLike

from lut.protocols import Floats
from profilers.constraints import Count, Share, Text

Weight = Annotated[float, Ge(-1e7), Le(1e7)]
Error = Annotated[float, Ge(0), Le(1e3)]
TERMS = ("sum", "layers", "constant", "resolution")
_SUBSETS = ((0,), (0, 2), (0, 1, 2), (0, 1, 2, 3))
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
_GAIN = 0.97  # a correction must lower the cross-validated error at least to this share, or it is noise
COVERAGE = 0.95
HELD_OUT = "held-out groups"  # of networks; see `lut.estimate.cross_validation`
LEAST_FOR_INTERVAL = 5
_LEAST = 0.05  # a correction never brings a prediction below this share of the sum


@dataclass(frozen=True)
class Calibration:
    """prediction = sum + weights . (sum, layers, 1, resolution); errors are relative, r.m.s., leave-one-out."""

    weights: tuple[Weight, Weight, Weight, Weight]
    """Of the terms, in their order."""
    networks: Count
    """That it was fitted to."""
    error_before: Error
    """Of the sums alone."""
    error_after: Error
    """Of the corrected sums, on networks that were left out."""

    def apply(self, sums: Floats, layers: ArrayLike, resolution: ArrayLike) -> Floats:
        """(n,) corrected milliseconds."""
        corrected: Floats = sums + _terms(sums, layers, resolution) @ np.array(self.weights)
        return np.where(corrected > _LEAST * sums, corrected, _LEAST * sums)


@dataclass(frozen=True)
class Interval:
    """A network's latency lies within prediction x lower .. upper, with probability `coverage`."""

    lower: Share
    """Factor of the lower end."""
    upper: Annotated[float, Ge(1), Le(1e3)]
    """Factor of the upper end."""
    coverage: Share
    """Probability that a network's latency lies within."""
    networks: Annotated[int, Ge(0), Le(10**9)]
    """That it was fitted on."""
    source: Text = HELD_OUT
    """How these came to be unseen by the prediction."""


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
    predicted: Floats,
    measured: Floats,
    *,
    parameters: int = 1,
    common: float = 0.0,
    between_session: float = 0.0,
    source: str = HELD_OUT,
) -> Interval | None:
    """The relative half-width w within which 95 % of new networks lie; None below `LEAST_FOR_INTERVAL` networks.

    Args:
        predicted: (n,) by something that had not seen the network, ms.
        measured: (n,) ms.
        parameters: what the prediction was fitted with, taken from Student's degrees of freedom.
        common: standard error, relative, of what all n networks share but a new one does not.
        between_session: standard deviation, relative, of a network's latency from one session to the next.
        source: how the networks came to be unseen.
    """
    from scipy.special import stdtrit  # Student's quantile; all of scipy.stats takes a second to import

    residuals = np.sort(np.abs(measured - predicted) / predicted)
    n = len(residuals)
    if n < LEAST_FOR_INTERVAL:
        return None
    rms = _rms(residuals)
    quantile = float(stdtrit(max(n - parameters, 2), (1 + COVERAGE) / 2))
    rank = math.ceil((n + 1) * COVERAGE)
    own = math.sqrt(quantile * rms * float(residuals[rank - 1])) if rank <= n else quantile * rms
    width = math.hypot(own, quantile * common, quantile * between_session)
    return Interval(max(0.0, 1 - width), 1 + width, COVERAGE, n, source)


def _terms(sums: Floats, layers: ArrayLike, resolution: ArrayLike) -> Floats:
    columns = np.broadcast_arrays(sums, np.asarray(layers, float), np.ones(len(sums)), np.asarray(resolution, float))
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
