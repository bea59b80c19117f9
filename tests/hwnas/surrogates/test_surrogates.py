"""One contract for every registered surrogate, and oracles from outside for those written here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator
from scipy.optimize import check_grad

from hwnas.ofa.predictor import OfaPredictor
from hwnas.space import get_space
from hwnas.surrogates import (
    MODELS,
    SURROGATES,
    AdaptiveSwitching,
    Prediction,
    Surrogate,
    auto,
    base,
    encode,
    layout,
    likelihood,
    make,
)
from hwnas.surrogates.auto import FOLDS, folds, kendall, score
from hwnas.surrogates.base import subsample
from hwnas.surrogates.gp import GP
from hwnas.surrogates.likelihood import negative_likelihood
from hwnas.surrogates.rbf import RBF
from hwnas.testing import check_surrogate
from profilers.errors import BadInput
from tests.hwnas.searching import SPACE, formula, genes

LAYOUT = layout(SPACE)


def data(n: int, seed: int):
    g = genes(n, seed)
    return encode(SPACE, g), np.array([formula(a) for a in SPACE.decode(g)])


@pytest.mark.parametrize("name", SURROGATES)
def test_contract(name, monkeypatch):
    """`auto` with the two that are quick to fit: the others keep the contract by themselves."""
    monkeypatch.setattr("hwnas.surrogates.auto.MODELS", {"gp": GP, "rbf": RBF})
    check_surrogate(name)


def test_unknown_surrogate():
    with pytest.raises(BadInput, match="gp"):
        make("gpp")


class TestFeatures:
    @given(st.integers(0, 10**6))
    @settings(max_examples=20, deadline=None)
    def test_networks_differ_exactly_where_features_do(self, seed):
        g = np.unique(genes(50, seed), axis=0)
        assert len(np.unique(encode(SPACE, g), axis=0)) == len(g)

    def test_an_absent_layer_is_all_zeros(self):
        smallest = SPACE.encode(SPACE.extremes()[:1])
        X = encode(SPACE, smallest)[0]
        slots = len(SPACE.stages) * min(SPACE.depths)
        assert X[:-1].sum() == 3 * slots + 1  # kernel, expand and presence of each layer, one resolution

    def test_ordinal_columns(self):
        arch = SPACE.extremes()[1]
        ordinal = encode(SPACE, SPACE.encode([arch])) @ LAYOUT.ordinal
        np.testing.assert_allclose(ordinal, 1.0)
        assert LAYOUT.groups[-1].stop == encode(SPACE, genes(1)).shape[1]


def exact(ours, X, y, noise):
    """scikit-learn's process with our hyper-parameters, of standardised targets."""
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels

    k = ours._kernel
    linear = kernels.ConstantKernel(k.linear[0]) * kernels.DotProduct(sigma_0=0)
    kernel = linear + kernels.ConstantKernel(k.variance) * kernels.RBF(k.rbf[0] ** -0.5)
    theirs = GaussianProcessRegressor(kernel, alpha=k.noise + 1e-6 + noise / y.var(), optimizer=None)
    return theirs.fit(k.scaled(X), (y - y.mean()) / y.std())


def waves(n):
    """(n, 4) rows and a smooth function of them."""
    X = np.random.default_rng(5).random((n, 4))
    return X, np.sin(3 * X[:, 0]) + X[:, 1]


class TestGP:
    def test_gradient_is_that_of_the_likelihood(self):
        rng = np.random.default_rng(0)
        parts = [rng.random((12, 3)), rng.random((12, 2))]
        lower = np.tril_indices(12)
        L = np.stack([(p @ p.T)[lower] for p in parts])
        D = np.stack([((p[:, None] - p) ** 2).sum(2)[lower] / 2 for p in parts])
        y = rng.standard_normal(12)

        def split(theta):
            values = np.exp(theta)
            return float(values[0]), float(values[1]), values[2:4], values[4:6]

        at = np.log([0.1, 0.5, 0.3, 0.2, 1.0, 2.0])
        error = check_grad(
            lambda t: negative_likelihood(split(t), L, D, y)[0],
            lambda t: negative_likelihood(split(t), L, D, y)[1],
            at,
        )
        assert error < 1e-4

    @pytest.mark.parametrize("noisy", [False, True])
    def test_agrees_with_scikit_learn(self, noisy):
        rng = np.random.default_rng(0)
        X, T = rng.random((30, 4)), rng.random((9, 4))
        y = np.sin(3 * X[:, 0]) + X[:, 1]
        noise = np.random.default_rng(3).random(len(y)) * y.var() if noisy else np.zeros(len(y))
        ours = GP().fit(X, y, noise)
        theirs = exact(ours, X, y, noise)
        mean, std = theirs.predict(ours._kernel.scaled(T), return_std=True)
        prediction = ours.predict(T)
        np.testing.assert_allclose(prediction.mean, mean * y.std() + y.mean(), rtol=1e-6)
        np.testing.assert_allclose(prediction.std, std * y.std(), rtol=1e-3, atol=1e-3 * y.std())

    def test_of_many_rows_the_mean_is_exact_and_the_uncertainty_never_too_small(self):
        (X, y), T = waves(460), np.random.default_rng(6).random((50, 4))
        ours = GP().fit(X, y)
        mean, std = exact(ours, X, y, 0.0).predict(ours._kernel.scaled(T), return_std=True)
        prediction = ours.predict(T)
        np.testing.assert_allclose(prediction.mean, mean * y.std() + y.mean(), rtol=1e-5)
        assert (prediction.std > 0.99 * std * y.std()).all() and prediction.std.max() < 0.2 * y.std()

    def test_many_rows_learn_anew_when_there_are_a_quarter_more(self, monkeypatch):
        learnt, T = [], np.random.default_rng(6).random((20, 4))
        maximum = likelihood._maximum
        monkeypatch.setattr(likelihood, "_maximum", lambda X, *rest: learnt.append(len(X)) or maximum(X, *rest))
        likelihood._KEPT.clear()
        X, y = waves(1120)
        for n in (390, 395, 420, 430, 499, 500, 510, 1100, 1120):
            GP().fit(X[:n], y[:n])
        assert len(learnt) == 2 + 1 + 1 + 1  # each time up to 400 rows; then of 400 rows, of 500, of 976
        kept = GP().fit(X[:430], y[:430]).predict(T).mean
        likelihood._KEPT.clear()
        np.testing.assert_array_equal(GP().fit(X[:430], y[:430]).predict(T).mean, kept)

    def test_uncertainty_grows_away_from_the_data(self):
        X = np.linspace(0, 1, 20)[:, None]
        std = GP().fit(X, np.sin(6 * X[:, 0])).predict(np.array([[0.5], [3.0]])).std
        assert std[1] > 5 * std[0]

    def test_known_noise_is_not_learnt_as_structure(self):
        """Half of the rows are noise that is said: the model is nearer the truth than one that is not told."""
        rng = np.random.default_rng(0)
        X = rng.random((60, 2))
        truth, noise = X @ [1.0, 2.0], np.where(np.arange(60) % 2, 4.0, 0.0)
        y = truth + np.sqrt(noise) * rng.standard_normal(60)
        errors = [np.abs(GP().fit(X, y, told).predict(X).mean - truth).mean() for told in (None, noise)]
        assert errors[1] < errors[0] / 3

    @pytest.mark.parametrize("noise", [np.ones(4), np.array([1.0, -1, 0]), np.array([np.nan, 0, 0])])
    def test_noise_that_is_none_is_refused(self, noise):
        with pytest.raises(BadInput, match=r"noise of shape .* for 3 rows; allowed: a finite variance of 0 or more"):
            GP().fit(np.eye(3), np.arange(3.0), noise)


class TestRBF:
    def test_a_linear_function_is_learnt_exactly(self):
        rng = np.random.default_rng(0)
        X, T = rng.random((40, 3)), 5 * rng.random((9, 3))
        np.testing.assert_allclose(RBF().fit(X, X @ [1.0, 2.0, 3.0]).predict(T).mean, T @ [1.0, 2.0, 3.0], rtol=1e-9)

    def test_it_is_scipys_where_the_rows_differ_in_every_direction(self):
        rng = np.random.default_rng(0)
        X, T = rng.random((40, 3)), rng.random((9, 3))
        y = np.sin(3 * X[:, 0]) + X[:, 1] ** 2
        theirs = RBFInterpolator(X, y, kernel="cubic", degree=1, smoothing=1e-3)(T)
        np.testing.assert_allclose(RBF().fit(X, y).predict(T).mean, theirs, rtol=1e-9)

    def test_a_column_that_never_changed_has_no_say(self):
        rng = np.random.default_rng(0)
        X, y = rng.random((40, 3)), rng.random(40)
        model = RBF().fit(np.column_stack([X, np.ones(40)]), y)
        ones, others = (np.column_stack([X[:5], np.full(5, value)]) for value in (1.0, 2.0))
        np.testing.assert_allclose(model.predict(ones).mean, model.predict(others).mean, rtol=1e-9)

    def test_fewer_rows_than_features_still_rank(self):
        rng = np.random.default_rng(0)
        X, T = (rng.integers(0, 3, (n, 20)).astype(float) for n in (16, 200))
        weights = rng.random(20)
        assert kendall(RBF().fit(X, X @ weights).predict(T).mean, T @ weights) > 0.5


class TestAdaptiveSwitching:
    @pytest.mark.slow
    def test_takes_the_one_that_ranks_best(self):
        X, y = data(60, 1)
        model = AdaptiveSwitching(LAYOUT)
        model.fit(X, y)
        assert {"gp"} <= set(model.scores) <= set(MODELS)
        assert model.chosen == "gp" or model.scores[model.chosen] == max(model.scores.values())
        same = make(model.chosen, LAYOUT).fit(X, y).predict(X).mean
        np.testing.assert_allclose(model.predict(X).mean, same, rtol=1e-9)

    @pytest.mark.slow
    def test_switches_only_when_clearly_better(self, monkeypatch):
        X = np.random.default_rng(0).random((80, 6))
        y = (X[:, :3] > [0.5, 0.3, 0.7]) @ [1.0, 2.0, 4.0] + 0.01 * X[:, 3]  # what trees are for
        clear = AdaptiveSwitching(candidates=("gp", "xgb")).fit(X, y)
        lead = clear.scores["xgb"] - clear.scores["gp"]
        assert clear.chosen == "xgb" and lead > 0.02
        monkeypatch.setattr(auto, "_MARGIN", 1.01 * lead)
        close = AdaptiveSwitching(candidates=("gp", "xgb")).fit(X, y)
        assert close.chosen == "gp" and close.scores == clear.scores

    def test_one_that_is_behind_after_three_folds_goes_no_further(self, monkeypatch):
        fits = []

        class Mean(Surrogate):
            name = "mean"

            def _fit(self, X, y):
                fits.append(len(y))

            def _predict(self, X):
                return Prediction(np.zeros(len(X)), None)

        monkeypatch.setitem(MODELS, "mean", Mean)
        X, y = data(40, 1)
        model = AdaptiveSwitching(LAYOUT, candidates=("rbf", "mean")).fit(X, y)
        assert fits == [36, 36, 36] and set(model.scores) == {"rbf"} and model.chosen == "rbf"

    def test_networks_near_the_front_count(self):
        """A model that is right only about the networks near the front beats one that is right only elsewhere."""
        near = np.arange(100) % 2 == 0
        y, noise, fold = np.arange(100.0), np.random.default_rng(0).permutation(100), folds(100, near)
        right_near, right_elsewhere = (score(np.where(side, y, noise), y, fold, near) for side in (near, ~near))
        assert right_near > right_elsewhere
        assert score(y, y, fold, near) == pytest.approx(1.0)

    @given(st.integers(1, 200), st.integers(0, 99))
    @settings(max_examples=50, deadline=None)
    def test_folds_are_balanced_in_all_and_near_the_front(self, n, seed):
        near = np.random.default_rng(seed).random(n) < 0.3
        fold = folds(n, near)
        for part in (fold, fold[near]):
            counts = np.bincount(part, minlength=FOLDS)
            assert counts.max() - counts.min() <= 1


@given(st.integers(1, 5000), st.integers(2, 1000))
def test_thinning_keeps_the_newest_and_repeats_nothing(n, limit):
    kept = subsample(n, limit)
    assert len(set(kept.tolist())) == len(kept) == min(n, limit)
    assert kept[-1] == n - 1 and (np.diff(kept) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "tau"), [(100, 0.84), (340, 0.895)])
def test_gp_on_real_accuracies_is_as_good_as_the_bar(published, rows, tau):
    """The bar: what shared/baselines/README.md reports for a GP on one-hot features (0.84 and 0.90)."""
    space = get_space("mbv3", (160, 176, 192, 208, 224))
    source = OfaPredictor(published / "ofa/acc_predictor.pth", space)
    g, t = genes(rows, 11, space), genes(1000, 12, space)
    model = make("gp", layout(space)).fit(encode(space, g), source.evaluate_genes(g))
    assert kendall(model.predict(encode(space, t)).mean, source.evaluate_genes(t)) > tau


def test_without_memory_for_linear_algebra_it_does_not_wait_for_ever(monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    base._require_work_memory.cache_clear()
    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(base.mmap, "mmap", refused)
        RBF().fit(np.eye(4), np.arange(4.0))
    assert RBF().fit(np.eye(4), np.arange(4.0)).predict(np.eye(4)).mean.shape == (4,)
