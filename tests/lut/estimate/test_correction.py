"""The correction that networks end to end give to a sum of layers, and the interval around it."""

from __future__ import annotations

import numpy as np
import pytest

from lut.estimate.correction import fit_calibration, fit_interval


def networks(n, noise=0.01, seed=0):
    rng = np.random.default_rng(seed)
    layers, pixels = rng.integers(10, 21, n), rng.choice([192, 224, 256], n)
    sums = layers * 0.2 * (pixels / 224) ** 2 * rng.uniform(0.8, 1.2, n)
    return sums, layers, pixels, 1 + noise * rng.standard_normal(n)


def test_a_true_correction_is_found():
    sums, layers, pixels, noise = networks(40)
    measured = (1.1 * sums + 0.02 * layers + 0.1) * noise
    calibration = fit_calibration(sums, layers, pixels, measured)
    fresh, layers, pixels, _ = networks(200, seed=1)
    truth = 1.1 * fresh + 0.02 * layers + 0.1
    error = np.abs(calibration.apply(fresh, layers, pixels) - truth) / truth
    assert error.mean() < 0.01 < np.abs(fresh - truth).mean()
    assert calibration.error_after < 0.2 * calibration.error_before


@pytest.mark.parametrize("seed", range(10))
def test_noise_alone_is_not_corrected(seed):
    sums, layers, pixels, noise = networks(30, seed=seed)
    calibration = fit_calibration(sums, layers, pixels, sums * noise)
    if calibration is not None:  # a small sample may show a small bias by chance; it must then stay small
        assert np.abs(calibration.apply(sums, layers, pixels) / sums - 1).max() < 0.02


def test_few_networks_are_not_enough():
    sums, layers, pixels, _ = networks(7)
    assert fit_calibration(sums, layers, pixels, 2 * sums) is None


def test_leave_one_out_error_equals_the_explicit_one():
    from lut.estimate.correction import _ridge, _terms

    sums, layers, pixels, noise = networks(15)
    measured = (1.2 * sums + 0.3) * noise
    terms = _terms(sums, layers, pixels)
    error, _ = _ridge(terms, sums, measured, [0, 2], 1e-9)
    explicit = []
    for i in range(15):
        rest = np.arange(15) != i
        x, y = (terms[rest][:, [0, 2]] / sums[rest, None]), (measured - sums)[rest] / sums[rest]
        w = np.linalg.lstsq(x, y, rcond=None)[0]
        explicit.append((measured[i] - sums[i] - terms[i, [0, 2]] @ w) / sums[i])
    assert error == pytest.approx(np.sqrt(np.mean(np.square(explicit))), rel=1e-4)


def test_a_correction_never_makes_a_latency_negative():
    sums, layers, pixels, _ = networks(40)
    calibration = fit_calibration(sums, layers, pixels, sums - 0.9 * sums.min())
    assert (calibration.apply(sums / 100, layers, pixels) > 0).all()


def test_one_number_of_layers_is_that_of_all():
    sums, layers, pixels, _ = networks(40)
    calibration = fit_calibration(sums, layers, pixels, 1.1 * sums + 0.01 * layers)
    same = calibration.apply(sums, np.full(len(sums), layers[0]), pixels)
    assert np.array_equal(calibration.apply(sums, layers[0], pixels), same)


@pytest.mark.parametrize("n", [6, 12, 25, 60])
@pytest.mark.parametrize("degrees", [3, 30])
def test_intervals_cover_what_they_promise(n, degrees):
    covered = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        predicted = rng.uniform(1, 10, n + 100)
        measured = predicted * (1 + 0.02 * rng.standard_t(degrees, n + 100))
        interval = fit_interval(predicted[:n], measured[:n])
        inside = (measured >= interval.lower * predicted) & (measured <= interval.upper * predicted)
        covered.append(inside[n:].mean())
    assert 0.92 < np.mean(covered) < 0.985


def test_what_all_share_and_what_was_fitted_widen_the_interval():
    rng = np.random.default_rng(0)
    predicted, measured = np.ones(30), 1 + 0.01 * rng.standard_normal(30)
    plain = fit_interval(predicted, measured).upper
    assert fit_interval(predicted, measured, common=0.01).upper > plain + 0.005
    few = predicted[:9], measured[:9]
    assert fit_interval(*few, parameters=6).upper > fit_interval(*few).upper


def test_sessions_differ_beyond_the_networks_own_errors():
    predicted, error = np.ones(400), 0.01 * np.random.default_rng(0).standard_normal(400)
    exact = fit_interval(predicted, 1 + error).upper - 1
    later = fit_interval(predicted, 1 + error, between_session=0.01).upper - 1
    assert later == pytest.approx(np.hypot(exact, 1.966 * 0.01), rel=1e-3)


def test_exact_predictions_have_the_width_of_other_minutes_only():
    assert fit_interval(np.ones(30), np.ones(30)).upper == 1.0
    assert fit_interval(np.ones(30), np.ones(30), between_session=0.01).upper == pytest.approx(1.0205, abs=1e-4)


def test_too_few_networks_give_no_interval():
    assert fit_interval(np.ones(4), np.ones(4)) is None
    assert fit_interval(np.ones(19), np.full(19, 1.5)).upper > 1.5
