"""A surrogate: the mean of the nearest networks, weighted by nearness."""

import numpy as np

from hwnas.surrogates import Surrogate


class Nearest(Surrogate):
    name, neighbours = "nearest", 5

    def _fit(self, X, y):
        self.known, self.targets = X, y

    def _predict(self, X):
        distances = np.abs(X[:, None] - self.known).sum(2)
        near = np.argsort(distances, 1)[:, : self.neighbours]
        weights = 1 / (np.take_along_axis(distances, near, 1) + 1e-9)
        return (weights * self.targets[near]).sum(1) / weights.sum(1), None
