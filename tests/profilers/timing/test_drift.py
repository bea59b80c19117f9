from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.timing.drift import FAST, drift_of_blocks


def drift_at(times, order):
    return drift_of_blocks(times, order)[0]


def rounds(r, s, seed=0):
    """Usual times of s models, an order for each of r rounds, and each block's place in time (r, s)."""
    rng = np.random.default_rng(seed)
    order = np.stack([rng.permutation(s) for _ in range(r)])
    place = np.empty((r, s), int)
    np.put_along_axis(place, order, np.arange(r * s).reshape(r, s), axis=1)
    return rng, rng.uniform(5, 12, s), order, place


def spread(times, level):
    """Relative scatter of each model's corrected blocks."""
    corrected = times / level
    return np.nanstd(corrected, axis=0) / np.nanmean(corrected, axis=0)


def test_steps_of_the_machines_speed_are_found_where_they_are():
    _, usual, order, place = rounds(20, 19)
    slow = place // 37 % 3 == 1  # a third of the time; neither rounds nor models are slow or quick as a whole
    times = usual * np.where(slow, 1.16, 1.0)
    found = drift_at(times, order)
    at_a_step = place % 37 < 2
    at_a_step |= place % 37 >= 35
    np.testing.assert_allclose(found[~at_a_step], np.where(slow, 1.16, 1.0)[~at_a_step], rtol=1e-6)
    np.testing.assert_allclose(np.median(times / found, axis=0), usual, rtol=1e-6)


def test_a_quiet_machine_stays_as_it_is():
    _, usual, order, _ = rounds(10, 5)
    np.testing.assert_allclose(drift_at(np.tile(usual, (10, 1)), order), 1.0, rtol=1e-9)


def test_noise_of_single_blocks_is_not_taken_for_the_machines():
    rng, usual, order, _ = rounds(20, 19)
    noisy = usual * (1 + 0.02 * np.abs(rng.standard_normal((20, 19))))
    assert np.std(drift_at(noisy, order)) < 0.012  # of single blocks: 0.012
    spiked = usual * np.where(rng.random((20, 19)) < 0.05, 3.0, 1.0)
    np.testing.assert_allclose(np.median(spiked / drift_at(spiked, order), axis=0), usual, rtol=1e-6)


def test_a_slow_drift_is_followed_and_models_do_not_change_it():
    rng, usual, order, place = rounds(30, 4)
    drift = 1 + 0.3 * place / place.max()
    times = usual * drift * (1 + 0.003 * rng.standard_normal((30, 4)))
    assert (spread(times, np.ones_like(times)) > 0.06).all() and (spread(times, drift_at(times, order)) < 0.008).all()


def neighbours(seed, noise=0.04, by=0.35, length=5):
    """Usual times, ten rounds of 21 models, order: somebody comes and goes on the core every `length` blocks or so."""
    rng, usual, order, place = rounds(10, 21, seed)
    busy = np.cumsum(rng.random(place.size) < 1 / length) % 2 == 1
    level = np.where(busy, 1 + by, 1.0)[place]
    return usual, usual * level * np.exp(noise * rng.standard_normal(place.shape)), order


def running_median(times, order, turns=8):
    """Of the two blocks on each side, as the level was found before: something to be better than."""
    row, column, log = np.arange(len(order)).repeat(order.shape[1]), order.ravel(), np.log(times)
    usual, level = np.median(log, axis=0), np.zeros(times.shape)
    for _ in range(turns):
        beside = np.pad((log - usual)[row, column], 2, constant_values=np.nan)
        windows = np.delete(np.lib.stride_tricks.sliding_window_view(beside, 5), 2, axis=1)
        level[row, column] = np.nanmedian(windows, axis=1)
        usual = np.median(log - level, axis=0)
    return np.exp(level)


def errors(estimates, usual):
    """Standard deviation of estimates (calls, models), relative, but for what a call has wrong as a whole."""
    relative = np.log(np.array(estimates) / np.array(usual))
    return float((relative - relative.mean(axis=1, keepdims=True)).std())


@pytest.mark.parametrize("length", [5, 20, 1000])
def test_models_beside_a_neighbour_are_told_apart_better_than_with_a_running_median(length):
    calls = [neighbours(seed, length=length) for seed in range(12)]
    usual = [call[0] for call in calls]
    ours, before = (
        errors([np.median(times / level(times, order), axis=0) for _, times, order in calls], usual)
        for level in (drift_at, running_median)
    )
    assert ours < 0.95 * before


@pytest.mark.parametrize("length", [5, 20])
def test_where_the_level_is_divided_out_the_median_errs_less_than_a_low_quantile(length):
    calls = [neighbours(seed, length=length) for seed in range(12)]
    usual = [call[0] for call in calls]
    middle, low = (
        errors([np.quantile(times / drift_at(times, order), q, axis=0) for _, times, order in calls], usual)
        for q in (0.5, 0.25)
    )
    assert middle < 0.9 * low


def test_rejected_blocks_and_models_that_failed_tell_nothing():
    _, usual, order, place = rounds(20, 6)
    slow = place // 40 % 3 == 1
    times = usual * np.where(slow, 1.3, 1.0)
    times[:, 2] = np.nan
    times[5:9, 1] = np.nan
    found = drift_at(times, order)
    assert np.isfinite(found).all()
    others = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(np.nanmedian((times / found)[:, others], axis=0), usual[others])
    assert (drift_at(np.full((4, 3), np.nan), order[:4, :3].argsort(axis=1)) == 1).all()


def test_one_block_alone_tells_nothing():
    times = np.full((1, 2), np.nan)
    times[0, 1] = 3.0
    assert drift_at(times, np.array([[0, 1]])).tolist() == [[1.0, 1.0]]


@pytest.mark.slow
@given(st.integers(3, 12), st.integers(1, 6), st.integers(0, 1000), st.floats(0.01, 100))
def test_the_unit_of_time_changes_nothing(r, s, seed, factor):
    rng, usual, order, _ = rounds(r, s, seed)
    times = usual * rng.uniform(0.9, 1.5, (r, s))
    found = drift_at(times, order)
    assert np.isfinite(found).all() and (found > 0).all()
    np.testing.assert_allclose(drift_at(factor * times, order), found, rtol=1e-9)
    usual = np.median(times / found, axis=0)
    assert np.quantile(times / usual, FAST) == pytest.approx(1.0, rel=0.25)
