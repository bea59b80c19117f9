"""Gradient-boosted trees (XGBoost)."""

from __future__ import annotations

import numpy as np

from hwnas.surrogates.base import Floats, Prediction, Surrogate


class XGB(Surrogate):
    """Shallow trees on one thread; no uncertainty."""

    name = "xgb"

    def _fit(self, X: Floats, y: Floats) -> None:
        from xgboost import DMatrix, train

        settings = {
            "max_depth": 3,
            "eta": 0.15,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "lambda": 2.0,
            "nthread": 1,
            "seed": 0,
            "verbosity": 0,
        }
        self._model = train(settings, DMatrix(X, label=y, nthread=1), num_boost_round=120)

    def _predict(self, X: Floats) -> Prediction:
        from xgboost import DMatrix

        return Prediction(self._model.predict(DMatrix(X, nthread=1)).astype(np.float64), None)
