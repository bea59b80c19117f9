"""Adaptive Switching: the surrogate that ranks held-out networks best (paper, section 3.3).

Ten folds; each surrogate's score is the mean over folds, minus the standard deviation, of Kendall's rank correlation.
A search asks about networks near the front, so where those are known their correlation, over all folds together,
counts as much. The first candidate, the GP, has an uncertainty, which a search needs; so others must clearly beat it.
Models are compared on the same folds; a model's hyper-parameters (ten numbers of the GP) are learnt once, from all
rows, and its fit is made without the held-out ones. One whose score is below the first candidate's after three folds
goes no further: trees and networks take far longer to fit than the GP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hwnas.surrogates.base import Floats, Prediction, Surrogate, subsample
from hwnas.surrogates.features import Layout
from hwnas.surrogates.registry import MODELS
from profilers import rank_correlation

FOLDS = 10
_EARLY = 3  # folds after which those behind the first candidate are out
_CV_ROWS = 400  # of more rows a subsample is compared
_MARGIN = 0.02  # the first candidate stays unless it is beaten by more than the comparison's noise
_FEW = 10  # fewer networks near the front than this say nothing


class AdaptiveSwitching(Surrogate):
    """Compares `candidates` (names) at every fit and then is the best of them."""

    name = "auto"
    max_rows = 10**9  # `near` belongs to the rows as given; the models take their own subsample

    def __init__(self, layout: Layout | None = None, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(layout)
        self.candidates = candidates or tuple(MODELS)
        self.near: NDArray[np.bool_] | None = None  # rows near the front, set before `fit` where known
        self.scores: dict[str, float] = {}  # of those that were compared to the end
        self.chosen = ""

    def _fit(self, X: Floats, y: Floats) -> None:
        if len(y) <= FOLDS:  # folds of one row rank nothing
            self.chosen = self.candidates[0]
            self._model = MODELS[self.chosen](self.layout).fit(X, y, self._noise)
            return
        rows = subsample(len(y), _CV_ROWS)
        models = {name: MODELS[name](self.layout) for name in self.candidates}
        self.scores = self._compare(models, X, y, rows)
        best, first = max(self.scores, key=lambda name: self.scores[name]), self.candidates[0]
        self.chosen = best if self.scores[best] > self.scores[first] + _MARGIN else first
        learnt = len(rows) == len(y)  # from the same rows: what a model keeps it need not learn anew
        fit = models[self.chosen].refit if learnt else MODELS[self.chosen](self.layout).fit
        self._model = fit(X, y, self._noise)

    def refit(self, X: Floats, y: Floats, noise: Floats | None = None) -> Self:
        """Condition the chosen one on other rows; nothing is compared again."""
        if self._scale == 0:
            return self.fit(X, y, noise)
        X, y = self._checked(X, y, noise)
        if self._scale > 0:
            self._model.refit(X, (y - self._center) / self._scale, self._noise)
        return self

    def _compare(
        self, models: Mapping[str, Surrogate], X: Floats, y: Floats, rows: NDArray[np.intp]
    ) -> dict[str, float]:
        """Scores of the models that are not behind the first one early."""
        near = self.near if self.near is not None and len(self.near) == len(y) else np.zeros(len(y), bool)
        noise = np.zeros(len(y)) if self._noise is None else self._noise
        found = {name: _HeldOut(model, X[rows], y[rows], noise[rows], near[rows]) for name, model in models.items()}
        early = {name: held_out.score(_EARLY) for name, held_out in found.items()}
        left = [name for name in found if early[name] >= early[self.candidates[0]]]
        return {name: found[name].score(FOLDS) for name in left}

    def _predict(self, X: Floats) -> Prediction:
        return self._model.predict(X)


class _HeldOut:
    """A model's predictions of what it was not fitted to, fold after fold."""

    def __init__(self, model: Surrogate, X: Floats, y: Floats, noise: Floats, near: NDArray[np.bool_]) -> None:
        self.model, self.data, self.near = model, (X, y, noise), near
        if type(model).refit is not Surrogate.refit:  # it keeps what it learns here
            model.fit(*self.data)
        self.fold, self.done = folds(len(y), near), 0
        self.mean = np.empty(len(y))

    def score(self, count: int) -> float:
        """After so many folds; those that are done are not repeated."""
        X, y, noise = self.data
        for k in range(self.done, count):
            held = self.fold == k
            self.mean[held] = self.model.refit(X[~held], y[~held], noise[~held]).predict(X[held]).mean
        self.done = max(self.done, count)
        seen = self.fold < self.done
        return score(self.mean[seen], y[seen], self.fold[seen], self.near[seen])


def score(held_out: Floats, y: Floats, fold_of: NDArray[np.intp], near: NDArray[np.bool_]) -> float:
    """How well held-out predictions rank: by fold, mean minus standard deviation; half of it near the front."""
    by_fold = [kendall(held_out[fold_of == k], y[fold_of == k]) for k in range(fold_of.max() + 1)]
    overall = float(np.mean(by_fold) - np.std(by_fold))
    return (overall + kendall(held_out[near], y[near])) / 2 if near.sum() >= _FEW else overall


def folds(n: int, near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(n,) fold of each row: random, and with the rows near the front spread evenly."""
    order = np.random.default_rng(0).permutation(n)
    order = np.concatenate([order[near[order]], order[~near[order]]])
    fold = np.empty(n, np.intp)
    fold[order] = np.arange(n) % FOLDS
    return fold


def kendall(a: Floats, b: Floats) -> float:
    """Kendall's tau-b; 0 where it is undefined (fewer than two rows, or all equal)."""
    if len(a) < 2:
        return 0.0
    value = rank_correlation.kendall(a, b)
    return value if np.isfinite(value) else 0.0
