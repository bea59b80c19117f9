"""Gaussian process with a linear plus an RBF kernel, hyper-parameters by marginal likelihood.

    n rows   G groups of columns (kernel, expand, presence, resolution), each scaled to unit mean square
    L (G, n, n)  inner products of each group          D (G, n, n)  half squared distances of each group
    packed: their lower triangles as rows, (G, n (n + 1) / 2), which is all that the likelihood needs of them
    K = sum_g a_g L_g + v exp(-sum_g b_g D_g) + s I + diag(noise)
    theta = log [s, v, a (G), b (G)]: noise, RBF variance, linear variances, inverse squared length scales
    noise (n,)  known variance of each row, beside the learnt s that is the same for all

Accuracy is nearly additive over a network's layers, which the linear part learns from few rows; the RBF part adds
what is not. The likelihood and its gradient are written out: this is the search's own time.
Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, equations 2.30 and 5.9.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri
from scipy.optimize import minimize

from hwnas.surrogates.base import Floats, Prediction, Surrogate, subsample

_JITTER = 1e-6
_LEARN_ROWS = (
    200  # that hyper-parameters are learnt from: ten numbers; all rows (up to max_rows) condition the prediction
)
_PRIOR_WIDTH = 3.0  # standard deviation of each log hyper-parameter around its start
_BOUND = (-12.0, 5.0)
_STEPS = {
    "maxiter": 60,
    "ftol": 1e-5,
}  # of the likelihood's maximisation; smaller gains change no prediction that matters


class GP(Surrogate):
    """The default where it wins; its uncertainty is calibrated within a factor of about 1.2 on `mbv3`."""

    name = "gp"

    def _fit(self, X: Floats, y: Floats) -> None:
        groups = self.layout.groups if self.layout else (slice(0, X.shape[1]),)
        self._mean = X.mean(axis=0)
        self._scale_columns = np.concatenate([_unit(X[:, g] - self._mean[g]) for g in groups])
        self._width = [g.stop - g.start for g in groups]
        rows = subsample(len(X), _LEARN_ROWS)
        self.theta = self._learn(self._scaled(X[rows]), y[rows], self._known(rows))
        self._condition(X, y)

    def refit(self, X: Floats, y: Floats, noise: Floats | None = None) -> Self:
        """Condition on other rows with the hyper-parameters of the last `fit`."""
        if self._scale == 0:
            return self.fit(X, y, noise)
        X, y = self._checked(X, y, noise)
        if self._scale > 0:
            self._condition(X, (y - self._center) / self._scale)
        return self

    def _condition(self, X: Floats, y: Floats) -> None:
        """Take (n, f) rows as the data, hyper-parameters as they are; y is standardised."""
        self._X = self._scaled(X)
        s, v, a, b = self._split(np.exp(self.theta))
        self._v = v
        self._linear, self._rbf = np.sqrt(np.repeat(a, self._width)), np.sqrt(np.repeat(b / 2, self._width))
        self._XL, self._XR = self._X * self._linear, self._X * self._rbf
        self._lengths = (self._XR**2).sum(axis=1)
        K = v * np.exp(-_squared(self._XR, self._XR, self._lengths)) + self._XL @ self._XL.T
        K[np.diag_indices_from(K)] += s + _JITTER + self._known(np.arange(len(X)))
        self._L = cholesky(K, lower=True)
        self._alpha = cho_solve((self._L, True), y)

    def _predict(self, X: Floats) -> Prediction:
        X = self._scaled(X)
        XL = X * self._linear
        K = self._v * np.exp(-_squared(X * self._rbf, self._XR, self._lengths)) + XL @ self._XL.T  # (n, rows)
        explained = solve_triangular(self._L, K.T, lower=True, check_finite=False)
        variance = self._v + (XL**2).sum(axis=1) - (explained**2).sum(axis=0)
        return Prediction(K @ self._alpha, np.sqrt(np.maximum(variance, _JITTER)))

    def _learn(self, X: Floats, y: Floats, noise: Floats | float) -> Floats:
        ends = np.cumsum([0, *self._width])
        parts = [X[:, i:j] for i, j in pairwise(ends)]
        _, _, place, _ = _lower(len(X))
        L = np.stack([(p @ p.T).ravel()[place] for p in parts])
        D = np.stack([_squared(p, p).ravel()[place] / 2 for p in parts])
        g = len(parts)
        start = np.log(np.concatenate([[1e-2, 0.3], np.full(g, 0.5 / g), np.full(g, 0.3 / g)]))

        def loss(theta: Floats) -> tuple[float, Floats]:
            value, gradient = _negative_likelihood(self._split(np.exp(theta)), L, D, y, noise)
            away = (theta - start) / _PRIOR_WIDTH
            return value + 0.5 * away @ away, gradient + away / _PRIOR_WIDTH

        bounds = [_BOUND] * len(start)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=_STEPS)
        return np.asarray(found.x)

    def _known(self, rows: NDArray[np.intp]) -> Floats | float:
        return 0.0 if self._noise is None else self._noise[rows]

    def _scaled(self, X: Floats) -> Floats:
        return np.asarray((X - self._mean) * self._scale_columns)

    def _split(self, values: Floats) -> tuple[float, float, Floats, Floats]:
        g = len(self._width)
        return float(values[0]), float(values[1]), values[2 : 2 + g], values[2 + g :]


def _negative_likelihood(
    values: tuple[float, float, Floats, Floats], L: Floats, D: Floats, y: Floats, noise: Floats | float = 0.0
) -> tuple[float, Floats]:
    """Minus log marginal likelihood (without its constant) and its gradient by the logs of `values`; L, D packed."""
    s, v, a, b = values
    n = len(y)
    row, column, place, diagonal = _lower(n)
    rbf, K = v * np.exp(-(b @ D)), np.zeros(n * n)
    K[place] = rbf + a @ L
    K[:: n + 1] += s + _JITTER + noise
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


def _squared(A: Floats, B: Floats, lengths: Floats | None = None) -> Floats:
    """(n, m) squared distances; `lengths` (m,) are the squared ones of B, where they are known."""
    known = (B**2).sum(axis=1) if lengths is None else lengths
    return np.asarray(np.maximum((A**2).sum(axis=1)[:, None] + known - 2 * A @ B.T, 0.0))
