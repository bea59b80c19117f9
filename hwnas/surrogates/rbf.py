"""Cubic radial basis functions with a linear tail (the surrogate that the paper prefers on ImageNet, appendix A).

    s(x) = sum_i w_i |x - x_i|^3 + b0 + b^T x

Both parts are over the ordinal features, projected on the directions in which the rows differ: only there is a linear
tail determined, and a tail over the one-hot features has more coefficients than a search's start has rows.
"""

from __future__ import annotations

import numpy as np

from hwnas.surrogates.base import Floats, Prediction, Surrogate

_SMOOTHING = 1e-3  # far below the squared noise of any accuracy; keeps near-equal rows solvable


class RBF(Surrogate):
    """Interpolates; no uncertainty."""

    name = "rbf"

    def _fit(self, X: Floats, y: Floats) -> None:
        from scipy.interpolate import RBFInterpolator

        X = self._ordinal(X)
        self._mean: Floats = X.mean(axis=0)
        self._axes = _directions(X)
        self._model = RBFInterpolator(self._project(X), y, kernel="cubic", degree=1, smoothing=_SMOOTHING)

    def _predict(self, X: Floats) -> Prediction:
        return Prediction(self._model(self._project(self._ordinal(X))), None)

    def _ordinal(self, X: Floats) -> Floats:
        return X if self.layout is None else X @ self.layout.ordinal

    def _project(self, X: Floats) -> Floats:
        projected: Floats = (X - self._mean) @ self._axes
        return projected


def _directions(X: Floats) -> Floats:
    """(d, r) orthonormal directions in which the rows of X (n, d) differ."""
    _, spread, directions = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    chosen: Floats = directions[spread > 1e-9 * max(spread[0], 1e-300)]
    return chosen.T
