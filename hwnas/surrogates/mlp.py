"""A small multi-layer perceptron."""

from __future__ import annotations

import warnings

import numpy as np

from hwnas.surrogates.base import Floats, Prediction, Surrogate


class MLP(Surrogate):
    """One hidden layer of 48, trained with L-BFGS and weight decay; no uncertainty."""

    name = "mlp"

    def _fit(self, X: Floats, y: Floats) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        self._mean = X.mean(axis=0)
        model = MLPRegressor(hidden_layer_sizes=(48,), alpha=1.0, solver="lbfgs", max_iter=60, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is the intended regularisation
            self._model = model.fit(X - self._mean, y)

    def _predict(self, X: Floats) -> Prediction:
        return Prediction(np.asarray(self._model.predict(X - self._mean), float), None)
