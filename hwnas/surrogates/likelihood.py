"""The hyper-parameters of the Gaussian process, learnt by maximising its marginal likelihood.

    n rows   G groups of columns (kernel, expand, presence, resolution), each scaled to unit mean square
    L (G, n, n)  inner products of each group          D (G, n, n)  half squared distances of each group
    packed: their lower triangles as rows, (G, n (n + 1) / 2), which is all that the likelihood needs of them
    K = sum_g a_g L_g + v exp(-sum_g b_g D_g) + s I + diag(noise)
    theta = log [s, v, a (G), b (G)]: noise, RBF variance, linear variances, inverse squared length scales
    noise (n,)  known variance of each row, beside the learnt s that is the same for all

The likelihood and its gradient are written out, because this is the search's own time. For the same reason these few
numbers are learnt from at most `_LEARN_ROWS` rows, and beyond them anew only when there are a quarter more. What is
learnt depends on the rows alone, not on what was kept: a search that is killed and continued learns the same.
Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, equations 2.30 and 5.9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize

from hwnas.surrogates.base import Floats, subsample

JITTER = 1e-6
_LEARN_ROWS = 400  # with 200, searches for top-1 and MAdds ended lower (`tools.bench.search --problems madds`)
_GROWTH = 1.25
_PRIOR_WIDTH = 3.0  # standard deviation of each log hyper-parameter around its start
_BOUND = (-12.0, 5.0)
_STEPS = {"maxiter": 60, "ftol": 1e-6}  # smaller gains of the likelihood change no prediction that matters
_DIGITS = 9  # of rows whose hyper-parameters are kept: sums that round otherwise are the same rows
_KEPT: dict[bytes, Kernel] = {}  # the last few
_MOST_KEPT = 8


@dataclass(frozen=True, eq=False)
class Kernel:
    """How features are scaled, (f,) mean and columns, and the hyper-parameters, linear and rbf (f,) by column."""

    mean: Floats
    columns: Floats
    noise: float
    variance: float
    linear: Floats
    rbf: Floats

    def scaled(self, X: Floats) -> Floats:
        """(n, f) features as the kernel takes them."""
        return np.asarray((X - self.mean) * self.columns)

    def of_targets(self, spread: float) -> Kernel:
        """For targets that are `spread` times as large."""
        square = spread**2
        noise, variance, linear = self.noise * square, self.variance * square, self.linear * square
        return replace(self, noise=noise, variance=variance, linear=linear)


def learn(X: Floats, y: Floats, noise: Floats | None, groups: Sequence[slice]) -> Kernel:
    """The kernel for (n, f) features and (n,) standardised targets with their known noise, if any."""
    if len(X) <= _LEARN_ROWS:
        return _learn(X, y, noise, groups)
    rows = subsample(_milestone(len(X)), _LEARN_ROWS)
    X, y = X[rows], y[rows]
    spread = float(y.std()) or 1.0
    y = np.round((y - y.mean()) / spread, _DIGITS)
    noise = None if noise is None else np.round(noise[rows] / spread**2, _DIGITS)
    return _kept(X, y, noise, groups).of_targets(spread)


def _milestone(n: int) -> int:
    """Of how many of the first n rows hyper-parameters are learnt."""
    rows = float(_LEARN_ROWS)
    while rows * _GROWTH <= n:
        rows *= _GROWTH
    return int(rows)


def _kept(X: Floats, y: Floats, noise: Floats | None, groups: Sequence[slice]) -> Kernel:
    parts = (X, y, y[:0] if noise is None else noise, np.array([(g.start, g.stop) for g in groups]))
    key = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).digest()
    if key not in _KEPT:
        while len(_KEPT) >= _MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[key] = _learn(X, y, noise, groups)
    return _KEPT[key]


def _learn(X: Floats, y: Floats, noise: Floats | None, groups: Sequence[slice]) -> Kernel:
    mean = X.mean(axis=0)
    columns = np.concatenate([_unit(X[:, g] - mean[g]) for g in groups])
    width = [g.stop - g.start for g in groups]
    s, v, a, b = _split(np.exp(_maximum((X - mean) * columns, y, 0.0 if noise is None else noise, width)))
    return Kernel(mean, columns, s, v, np.repeat(a, width), np.repeat(b, width))


def _maximum(X: Floats, y: Floats, noise: Floats | float, width: Sequence[int]) -> Floats:
    """The theta of the largest likelihood, with a wide prior."""
    parts = [X[:, i:j] for i, j in pairwise(np.cumsum([0, *width]))]
    _, _, place, _ = _lower(len(X))
    L = np.stack([(p @ p.T).ravel()[place] for p in parts])
    D = np.stack([_squared(p).ravel()[place] / 2 for p in parts])
    g = len(parts)
    start = np.log(np.concatenate([[1e-2, 0.3], np.full(g, 0.5 / g), np.full(g, 0.3 / g)]))

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, gradient = negative_likelihood(_split(np.exp(theta)), L, D, y, noise)
        away = (theta - start) / _PRIOR_WIDTH
        return value + 0.5 * away @ away, gradient + away / _PRIOR_WIDTH

    bounds = [_BOUND] * len(start)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_STEPS).x)


def _split(values: Floats) -> tuple[float, float, Floats, Floats]:
    """s, v, a (G,), b (G,)."""
    g = (len(values) - 2) // 2
    return float(values[0]), float(values[1]), values[2 : 2 + g], values[2 + g :]


def negative_likelihood(
    values: tuple[float, float, Floats, Floats], L: Floats, D: Floats, y: Floats, noise: Floats | float = 0.0
) -> tuple[float, Floats]:
    """Minus log marginal likelihood (without its constant) and its gradient by the logs of `values`; L, D packed."""
    s, v, a, b = values
    n = len(y)
    row, column, place, diagonal = _lower(n)
    rbf, K = v * np.exp(-(b @ D)), np.zeros(n * n)
    K[place] = rbf + a @ L
    K[:: n + 1] += s + JITTER + noise
    C, failed = dpotrf(K.reshape(n, n).T, lower=0, clean=0, overwrite_a=1)  # transposed, it is as LAPACK stores it
    if failed:
        return 1e10, np.zeros(2 + 2 * len(a))
    alpha, log_determinant = cho_solve((C, False), y, check_finite=False), np.log(np.diag(C)).sum()
    inverse, _ = dpotri(C, lower=0, overwrite_c=1)
    M = inverse.T.ravel()[place] - alpha[row] * alpha[column]
    M[diagonal] /= 2  # each other element stands for two
    weighted = M * rbf
    gradient = [s * M[diagonal].sum(), weighted.sum(), *(a * (L @ M)), *(-b * (D @ weighted))]
    return float(0.5 * y @ alpha + log_determinant), np.array(gradient)


@lru_cache(maxsize=1)
def _lower(n: int) -> tuple[NDArray[np.intp], ...]:
    """Of the lower triangle of (n, n): rows, columns, places in the flat matrix, and which of them are the diagonal."""
    row, column = np.tril_indices(n)
    return row, column, row * n + column, np.flatnonzero(row == column)


def _unit(columns: Floats) -> Floats:
    """A factor for each column, one for the group, that gives its rows unit mean square length."""
    square = float((columns**2).sum(axis=1).mean())
    return np.full(columns.shape[1], square**-0.5 if square > 0 else 1.0)


def _squared(A: Floats) -> Floats:
    """(n, n) squared distances of rows."""
    lengths = (A**2).sum(axis=1)
    return np.asarray(np.maximum(lengths[:, None] + lengths - 2 * A @ A.T, 0.0))
