"""The contract of every surrogate: a regression from an architecture's features to its accuracy.

    n  rows (architectures)     f  features
    X (n, f)   see `hwnas.surrogates.features`          y (n,)   any scale; the search gives top-1 in percent
    noise (n,) variance of each y that is known, as of an accuracy over few images; in squared units of y

Public methods check their arguments; a subclass's `_fit` and `_predict` do the work on standardised targets.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.surrogates.features import Layout
from profilers.errors import BadInput

Floats = NDArray[np.float64]
_WORK_BYTES = 160 << 20  # of address space, more than OpenBLAS takes for itself at its first call
_TINY = 1e-12  # in place of the spread of targets that are all equal


@cache
def _require_work_memory() -> None:
    """MemoryError where OpenBLAS could not have its buffer, for which it would ask for ever."""
    try:
        mmap.mmap(-1, _WORK_BYTES).close()
    except OSError as error:
        raise MemoryError from error


class Prediction(NamedTuple):
    """mean (n,) in the units of y; std (n,) of the model's own uncertainty, None where it has none."""

    mean: Floats
    std: Floats | None


class Surrogate(ABC):
    """One regression model; deterministic: the same rows give the same model."""

    name: ClassVar[str]
    max_rows: ClassVar[int] = 2000  # of more rows a subsample is fitted

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout
        self._center, self._scale, self._columns = 0.0, 0.0, 0
        self._noise: Floats | None = None  # of the rows that are fitted, standardised as they are

    def fit(self, X: Floats, y: Floats, noise: Floats | None = None) -> Self:
        """Fit to (n, f) features and (n,) targets; `noise` (n,) is used by the GP and by models of one's own that do.

        Raises:
            BadInput: fewer than two rows, shapes that do not fit, or values that are not finite.
            MemoryError: not enough for linear algebra.
        """
        _require_work_memory()
        X, y = self._checked(X, y, noise)
        if self._scale > 0:
            self._fit(X, (y - self._center) / self._scale)
        return self

    def _checked(self, X: Floats, y: Floats, noise: Floats | None = None) -> tuple[Floats, Floats]:
        X, y = np.asarray(X, float), np.asarray(y, float)
        if X.ndim != 2 or y.shape != (len(X),) or len(X) < 2:
            raise BadInput(f"features {X.shape} with targets {y.shape}", "(n, f) and (n,), n of 2 or more")
        if not (np.isfinite(X).all() and np.isfinite(y).all()):
            raise BadInput("features or targets that are not finite numbers", "finite numbers")
        kept = subsample(len(X), self.max_rows)
        variance = _variance(noise, len(X))
        X, y = X[kept], y[kept]
        self._center, self._scale, self._columns = float(y.mean()), float(y.std()), X.shape[1]
        self._noise = None if variance is None else variance[kept] / max(self._scale, _TINY) ** 2
        return X, y

    def refit(self, X: Floats, y: Floats, noise: Floats | None = None) -> Self:
        """`fit` to other rows, keeping what is costly to learn and hardly depends on the rows (hyper-parameters)."""
        fitted(self.fit, X, y, noise)
        return self

    def predict(self, X: Floats) -> Prediction:
        """Mean and uncertainty for (n, f) features; BadInput before `fit` or for another number of features."""
        X = self._features(X)
        if self._scale == 0:  # all targets were equal: nothing to learn
            return Prediction(np.full(len(X), self._center), None)
        mean, std = self._predict(X)
        return Prediction(mean * self._scale + self._center, None if std is None else std * self._scale)

    def mean(self, X: Floats) -> Floats:
        """`predict`'s mean alone, which may take less time."""
        X = self._features(X)
        return self._mean_alone(X) * self._scale + self._center if self._scale else self.predict(X).mean

    def _features(self, X: Floats) -> Floats:
        X = np.asarray(X, float)
        if X.ndim != 2 or X.shape[1] != self._columns:
            raise BadInput(f"features of shape {X.shape}", f"(n, {self._columns}), as given to fit")
        return X

    def _mean_alone(self, X: Floats) -> Floats:
        return self._predict(X)[0]  # a model of one's own may give a plain pair

    @abstractmethod
    def _fit(self, X: Floats, y: Floats) -> Any: ...

    @abstractmethod
    def _predict(self, X: Floats) -> Prediction: ...


def fitted(fit: Callable[..., Surrogate], X: Floats, y: Floats, noise: Floats | None) -> Surrogate:
    """Call a model's `fit` or `refit`, with the noise where there is some and the model's own method takes it."""
    taken = noise is not None and "noise" in signature(fit).parameters
    return fit(X, y, noise=noise) if taken else fit(X, y)


def _variance(noise: Floats | None, n: int) -> Floats | None:
    if noise is None:
        return None
    variance = np.asarray(noise, float)
    if variance.shape != (n,) or not (np.isfinite(variance).all() and (variance >= 0).all()):
        raise BadInput(f"noise of shape {variance.shape} for {n} rows", "a finite variance of 0 or more for each row")
    return variance


def subsample(n: int, limit: int) -> NDArray[np.intp]:
    """At most `limit` of n rows: half are the newest, which in a search are nearest the front, half evenly spaced."""
    if n <= limit:
        return np.arange(n)
    newest = limit // 2
    older = np.linspace(0, n - newest - 1, limit - newest).astype(np.intp)
    return np.concatenate([older, np.arange(n - newest, n)])
