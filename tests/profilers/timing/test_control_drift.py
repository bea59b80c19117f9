"""Drift between groups of models, from control models that are timed in each."""

from __future__ import annotations

import numpy as np
import pytest

from profilers.timing.control_drift import drifts, reference_times, speed_spread, usual_error, usual_times


def test_speed_counts_from_the_quick_groups_and_its_spread_is_known():
    rng = np.random.default_rng(0)
    usual = np.exp(0.004 * rng.standard_normal((15, 3))) * [5.0, 7.0, 6.0]
    slow = np.arange(15) % 3 == 0
    times = np.where(slow, rng.uniform(1.1, 1.5, 15), 1.0)[:, None] * usual
    np.testing.assert_allclose(reference_times(times.tolist()), [5.0, 7.0, 6.0], rtol=0.012)
    factors = drifts(times.tolist())
    np.testing.assert_allclose(factors[~slow], 1.0, atol=0.015)
    np.testing.assert_allclose(drifts(times.tolist(), reference_times(times.tolist()).tolist()), factors, rtol=1e-3)
    assert speed_spread(times.tolist()) == pytest.approx(np.log(factors).std(ddof=1), rel=0.01)
    assert speed_spread(usual.tolist()) < 0.004 and speed_spread([[1.0]]) == 0.0


def test_noise_of_the_controls_is_not_taken_for_drift():
    rng = np.random.default_rng(0)
    noisy = np.exp(0.01 * rng.standard_normal((40, 4)))
    assert np.abs(np.log(drifts(noisy.tolist()))).mean() < 0.5 * np.abs(np.log(noisy).mean(axis=1)).mean()


def test_the_usual_speed_is_known_the_better_the_more_often_it_was_seen():
    rng = np.random.default_rng(0)
    few, many = (
        np.mean([usual_error(np.exp(0.01 * rng.standard_normal((n, 4))).tolist()) for _ in range(50)]) for n in (5, 45)
    )
    assert few == pytest.approx(0.01 / np.sqrt(20), rel=0.25) and many == pytest.approx(few / 3, rel=0.2)


def test_a_changed_speed_is_seen_against_the_reference():
    rng = np.random.default_rng(0)
    now = 1.2 * np.exp(0.005 * rng.standard_normal((3, 4)))
    np.testing.assert_allclose(drifts(now.tolist(), [1.0] * 4), 1.2, rtol=0.02)
    np.testing.assert_allclose(drifts(now.tolist()), 1.0, rtol=0.02)


def test_controls_that_failed_are_left_out():
    assert drifts([[0.0, 0.0], [0.0, 0.0]]).tolist() == [1.0, 1.0]
    assert drifts([[1.0, 0.0], [2.0, 0.0]], [1.0, 0.0])[1] > 1.3
    assert usual_times([[1.0, 0.0], [4.0, 0.0]]).tolist() == pytest.approx([2.0, 0.0])
    assert usual_error([[0.0, 0.0], [0.0, 0.0]]) == 0.0
