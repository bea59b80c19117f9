"""The contract of a surrogate: what a search takes for granted of a regression from features to accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwnas.space import SearchSpace, get_space
from hwnas.surrogates import SURROGATES, Surrogate, encode, layout
from hwnas.surrogates.auto import kendall
from hwnas.surrogates.base import fitted
from hwnas.surrogates.features import Layout
from profilers.errors import BadInput

Floats = NDArray[np.float64]
Data = tuple[Floats, Floats]
_TRAIN, _TEST = 120, 100
_BAD = (
    (np.zeros((1, 4)), np.zeros(1)),
    (np.zeros((3, 4)), np.zeros(2)),
    (np.zeros(3), np.zeros(3)),
    (np.full((3, 2), np.nan), np.zeros(3)),
    (np.zeros((3, 2)), np.array([0, 1, np.inf])),
)


def check_surrogate(surrogate: str | type[Surrogate]) -> None:
    """Check a surrogate; an AssertionError says what does not hold.

    Args:
        surrogate: a name, `python:module:Class`, or a class.

    Raises:
        AssertionError: the contract is broken. BadInput: it cannot be found.

    >>> check_surrogate("rbf")
    """
    made = SURROGATES.find(surrogate) if isinstance(surrogate, str) else surrogate
    assert isinstance(made, type) and issubclass(made, Surrogate), f"{surrogate!r} is no subclass of Surrogate"
    space = get_space("tiny")
    columns, train, test = layout(space), _data(space, _TRAIN, 1), _data(space, _TEST, 2)
    _check_ranking(made, columns, train, test)
    _check_same(made, columns, train, test[0])
    _check_mean(made, columns, train, test[0])
    _check_uncertainty(made, columns, train, test[0])
    _check_scale(made, columns, train, test[0])
    _check_odd_rows(made, columns, train)
    _check_refit(made, columns, train)
    _check_noise(made, columns, train)
    _check_without_layout(made)
    _check_refusals(made, columns, train)


def _data(space: SearchSpace, n: int, seed: int) -> Data:
    """Features of random networks, and an accuracy that grows with what they hold, ever less."""
    genes = space.sample(n, np.random.default_rng(seed))
    size = [sum(k * e for k, e in zip(a.ks, a.e, strict=True)) + 4 * a.r for a in space.decode(genes)]
    return encode(space, genes), 99.0 - 900.0 / (np.array(size, float) + 10.0)


def _check_ranking(made: type[Surrogate], columns: Layout, train: Data, test: Data) -> None:
    mean, true = made(columns).fit(*train).predict(test[0]).mean, test[1]
    tau, error = kendall(mean, true), float(np.sqrt(np.mean((mean - true) ** 2)))
    assert tau > 0.5, f"new networks are ranked with a correlation of {tau:.2f}; allowed: above 0.5"
    assert error < true.std(), f"new networks are off by {error:.2f}, more than their mean would be"


def _check_same(made: type[Surrogate], columns: Layout, train: Data, X: Floats) -> None:
    a, b = (made(columns).fit(*train).predict(X).mean for _ in range(2))
    assert np.array_equal(a, b), "the same rows give other predictions: random numbers without a seed?"


def _check_mean(made: type[Surrogate], columns: Layout, train: Data, X: Floats) -> None:
    model = made(columns).fit(*train)
    assert np.allclose(model.mean(X), model.predict(X).mean), "the mean alone is another than the prediction's"


def _check_uncertainty(made: type[Surrogate], columns: Layout, train: Data, X: Floats) -> None:
    mean, std = made(columns).fit(*train).predict(X)
    assert mean.shape == (len(X),), f"mean of shape {mean.shape} for {len(X)} rows"
    if std is not None:
        assert std.shape == (len(X),), f"std of shape {std.shape} for {len(X)} rows"
        assert (std >= 0).all() and std.max() > 0, "std is negative, or 0 for all"


def _check_scale(made: type[Surrogate], columns: Layout, train: Data, X: Floats) -> None:
    y = np.full(len(train[1]), 71.5)
    level = made(columns).fit(train[0], y).predict(X).mean
    assert np.allclose(level, 71.5), "equal targets are not predicted"
    plain = made(columns).fit(*train).predict(X).mean
    scaled = made(columns).fit(train[0], 1024 * train[1]).predict(X).mean
    assert np.allclose(scaled, 1024 * plain), "predictions do not follow the unit of the targets"


def _check_odd_rows(made: type[Surrogate], columns: Layout, train: Data) -> None:
    for what, rows in {"repeated rows": [*range(20), *range(20)], "three rows": [0, 1, 2]}.items():
        X, y = train[0][rows], train[1][rows]
        assert np.isfinite(made(columns).fit(X, y).predict(X).mean).all(), f"{what} give what is no number"


def _check_refit(made: type[Surrogate], columns: Layout, train: Data) -> None:
    X, y = train[0][:60], train[1][:60]
    model = made(columns).fit(X, y)
    before = kendall(model.predict(X).mean, y)
    after = kendall(model.refit(X[:30], -y[:30]).predict(X).mean, y)
    assert before > 0.3 > after, "refit does not take other rows"


def _check_noise(made: type[Surrogate], columns: Layout, train: Data) -> None:
    """A model may ignore it."""
    model = fitted(made(columns).fit, *train, np.full(len(train[1]), 4.0))
    mean = model.predict(train[0]).mean
    assert np.isfinite(mean).all(), "known noise of the rows gives what is no number"


def _check_without_layout(made: type[Surrogate]) -> None:
    X = np.random.default_rng(0).random((60, 3))
    y = X @ [1.0, 2.0, 3.0]
    tau = kendall(made().fit(X, y).predict(X).mean, y)
    assert tau > 0.6, f"without a layout a linear function is ranked with a correlation of {tau:.2f}"


def _check_refusals(made: type[Surrogate], columns: Layout, train: Data) -> None:
    for X, y in _BAD:
        _refused(f"features {X.shape} with targets {y.shape}", lambda X=X, y=y: made(None).fit(X, y))
    _refused("predict before fit", lambda: made(columns).predict(np.zeros((1, 4))))
    model = made(columns).fit(train[0][:10], train[1][:10])
    _refused("features of another number", lambda: model.predict(train[0][:, 1:]))


def _refused(what: str, call: object) -> None:
    try:
        call()  # type: ignore[operator]
    except BadInput:
        return
    raise AssertionError(f"{what} is not refused with BadInput")
