"""Cubic radial basis functions with a linear tail (the surrogate that the paper prefers on ImageNet, appendix A).

    s(x) = sum_i w_i |x - x_i|^3 + tail(x) b,     tail^T w = 0

Both are over the ordinal features: |x|^3 is conditionally positive definite only beside a tail that is linear in the
same features, and a tail over the one-hot ones has more coefficients than a search's start has rows.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.spatial.distance import cdist

from hwnas.surrogates.base import Floats, Prediction, Surrogate

_JITTER = 1e-3  # far below the squared noise of any accuracy; keeps near-equal rows solvable


class RBF(Surrogate):
    """Interpolates; no uncertainty."""

    name = "rbf"

    def _fit(self, X: Floats, y: Floats) -> None:
        X = self._features(X)
        self._X, inverse, counts = np.unique(X, axis=0, return_inverse=True, return_counts=True)
        y = np.bincount(inverse.ravel(), weights=y) / counts  # equal rows would make the system singular
        tail = self._basis(self._X)
        n, q = tail.shape
        system = np.zeros((n + q, n + q))
        system[:n, :n] = cdist(self._X, self._X) ** 3 + _JITTER * np.eye(n)
        system[:n, n:], system[n:, :n] = tail, tail.T
        solution = lu_solve(lu_factor(system), np.concatenate([y, np.zeros(q)]))
        self._w, self._b = solution[:n], solution[n:]

    def _predict(self, X: Floats) -> Prediction:
        X = self._features(X)
        return Prediction(cdist(X, self._X) ** 3 @ self._w + self._tail(X) @ self._b, None)

    def _features(self, X: Floats) -> Floats:
        return X if self.layout is None else X @ self.layout.ordinal

    def _basis(self, X: Floats) -> Floats:
        """(n, 1 + q) an orthogonal basis of the linear tail; constant alone while there are too few rows for it."""
        self._mean, self._map = X.mean(axis=0), np.zeros((X.shape[1], 0))
        if X.shape[1] + 1 < len(X):
            _, s, vt = np.linalg.svd(X - self._mean, full_matrices=False)
            self._map = vt[s > 1e-9 * max(s[0], 1e-300)].T
        return self._tail(X)

    def _tail(self, X: Floats) -> Floats:
        return np.column_stack([np.ones(len(X)), (X - self._mean) @ self._map])
