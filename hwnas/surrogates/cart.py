"""An ensemble of regression trees (CART); the spread over its trees is the uncertainty."""

from __future__ import annotations

import numpy as np

from hwnas.surrogates.base import Floats, Prediction, Surrogate


class Cart(Surrogate):
    """Extremely randomised trees, each on a bootstrap sample."""

    name = "cart"
    trees = 40

    def _fit(self, X: Floats, y: Floats) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        settings = {"max_features": 0.25, "min_samples_leaf": 2, "bootstrap": True, "random_state": 0}
        self._model = ExtraTreesRegressor(self.trees, **settings).fit(X, y)

    def _predict(self, X: Floats) -> Prediction:
        single = X.astype(np.float32)
        each = np.stack([tree.tree_.predict(single)[:, 0] for tree in self._model.estimators_])
        return Prediction(each.mean(axis=0), each.std(axis=0))
