"""Gaussian process with a linear plus an RBF kernel, hyper-parameters by marginal likelihood.

    n rows   f features, scaled (see `hwnas.surrogates.likelihood`, where the hyper-parameters are learnt)
    K = X diag(linear) X' + v exp(-|x - x'|^2 / 2, weighted by rbf) + s I + diag(noise)

Accuracy is nearly additive over a network's layers, which the linear part learns from few rows; the RBF part adds
what is not. The mean follows from at most `_MEAN_ROWS` rows: of 2,000 it ranks as well (mbv3, by OFA's predictor) and
takes four times as long. The uncertainty follows from `_SPREAD_ROWS` of them: its cost grows with their square.
Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, equations 2.25 and 2.26.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dtrtrs

from hwnas.surrogates.base import Floats, Prediction, Surrogate, subsample
from hwnas.surrogates.likelihood import JITTER, learn

_MEAN_ROWS = 1000
_SPREAD_ROWS = 400


class GP(Surrogate):
    """The default where it wins; its uncertainty is calibrated within a factor of about 1.2 on `mbv3`."""

    name = "gp"
    max_rows = 10**9  # hyper-parameters are learnt from the first rows, whatever part of them it is conditioned on

    def _fit(self, X: Floats, y: Floats) -> None:
        groups = self.layout.groups if self.layout else (slice(0, X.shape[1]),)
        self._kernel = learn(X, y, self._noise, groups)
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
        rows = subsample(len(X), _MEAN_ROWS)
        self._X, y = self._kernel.scaled(X[rows]), y[rows]
        self._lengths = self._X**2 @ self._kernel.rbf / 2
        K = self._covariance(self._X)
        K[np.diag_indices_from(K)] += self._kernel.noise + JITTER + (0.0 if self._noise is None else self._noise[rows])
        whole = cholesky(K, lower=True, check_finite=False)
        self._alpha = cho_solve((whole, True), y, check_finite=False)
        self._spread = subsample(len(rows), _SPREAD_ROWS)
        some = len(self._spread) < len(rows)
        self._L = cholesky(K[np.ix_(self._spread, self._spread)], lower=True) if some else whole

    def _predict(self, X: Floats) -> Prediction:
        X = self._kernel.scaled(X)
        K = self._covariance(X)
        known = K if len(self._spread) == len(self._X) else K[:, self._spread]
        explained, _ = dtrtrs(self._L, known.T, lower=1)
        variance = self._kernel.variance + X**2 @ self._kernel.linear - np.einsum("ij,ij->j", explained, explained)
        return Prediction(K @ self._alpha, np.sqrt(np.maximum(variance, JITTER)))

    def _mean_alone(self, X: Floats) -> Floats:
        return np.asarray(self._covariance(self._kernel.scaled(X)) @ self._alpha)

    def _covariance(self, X: Floats) -> NDArray[np.float64]:
        """(k, n) of scaled X with the rows; in place, for this is where a search's own time goes."""
        kernel = self._kernel
        K = (X * kernel.rbf) @ self._X.T
        K -= (X**2 @ kernel.rbf / 2)[:, None]
        K -= self._lengths
        np.minimum(K, 0.0, out=K)
        np.exp(K, out=K)
        K *= kernel.variance
        K += (X * kernel.linear) @ self._X.T
        return np.asarray(K)
