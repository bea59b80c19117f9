"""Expected hypervolume improvement, against its definition and the classical formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, qmc

from hwnas.search.hypervolume import hypervolume
from hwnas.search.improvement import Improvement, expected_excess
from hwnas.search.sobol import MOST, sobol

seeds = st.integers(0, 2**32 - 1)


class TestImprovement:
    def test_without_uncertainty_it_is_the_added_hypervolume(self):
        rng = np.random.default_rng(0)
        F, new = rng.random((10, 3)), rng.random((6, 3)) * 0.6
        measure = Improvement(F[:, 0], F[:, 1:], rng, 1 << 14)
        added = [hypervolume(np.vstack([F, x])) - hypervolume(F) for x in new]
        np.testing.assert_allclose(measure.gain(new[:, 0], None, new[:, 1:]), added, atol=2e-3)

    @given(seeds, st.integers(1, 4))
    def test_it_is_the_mean_over_the_points_that_a_candidate_covers(self, seed, m):
        rng = np.random.default_rng(seed)
        F = rng.random((12, 1 + m))
        measure = Improvement(F[:, 0], F[:, 1:], rng, 512)  # more than a byte counts
        at_points = measure.points[rng.integers(512, size=20)]  # ties: a point is covered at equal cost
        costs = np.concatenate([rng.random((20, m)) * 1.2, at_points, np.zeros((1, m)), np.ones((1, m))])
        mean, std = rng.random(42), rng.random(42) * 0.2
        covers = (costs[:, None] <= measure.points).all(axis=2)
        gap = measure.level - mean[:, None]
        each = expected_excess(gap.ravel(), np.repeat(std, 512)).reshape(gap.shape)
        np.testing.assert_allclose(measure.gain(mean, std, costs), (each * covers).mean(axis=1), atol=1e-12)
        certain = (np.maximum(gap, 0) * covers).mean(axis=1)
        np.testing.assert_allclose(measure.gain(mean, None, costs), certain, atol=1e-12)

    @given(seeds, st.integers(0, 3), st.integers(0, 150))
    def test_all_networks_at_once_are_one_after_another(self, seed, m, n):
        rng = np.random.default_rng(seed)
        F = rng.random((n, 1 + m)) * 1.2
        measure, one = (Improvement(F[:k, 0], F[:k, 1:], np.random.default_rng(seed), 64) for k in (n, 0))
        for row in F[(F < 1).all(axis=1)]:
            one.add(row[0], row[1:])
        np.testing.assert_array_equal(measure.level, one.level)

    def test_with_uncertainty_it_is_the_mean_over_draws(self):
        rng = np.random.default_rng(0)
        F, costs = rng.random((5, 3)), np.array([[0.2, 0.4]])
        measure = Improvement(F[:, 0], F[:, 1:], rng, 1 << 12)
        mean, std = np.array([0.5]), np.array([0.3])
        draws = rng.normal(0.5, 0.3, 4000)
        drawn = measure.gain(draws, None, np.repeat(costs, len(draws), axis=0)).mean()
        assert measure.gain(mean, std, costs)[0] == pytest.approx(drawn, rel=0.03)

    def test_alone_it_is_the_classical_expected_improvement(self):
        measure = Improvement(np.array([0.4]), np.zeros((1, 0)), np.random.default_rng(0))
        z = (0.4 - 0.5) / 0.2
        expected = -0.1 * norm.cdf(z) + 0.2 * norm.pdf(z)
        assert measure.gain(np.array([0.5]), np.array([0.2]), np.zeros((1, 0)))[0] == pytest.approx(expected)

    def test_what_was_added_adds_nothing_more(self):
        measure = Improvement(np.zeros(0), np.zeros((0, 2)), np.random.default_rng(0))
        costs = np.array([[0.1, 0.2]])
        first = measure.gain(np.array([0.5]), None, costs)[0]
        measure.add(0.5, costs[0])
        assert first > 0.3 and measure.gain(np.array([0.5]), None, costs)[0] == 0.0

    @given(st.floats(-2, 2), st.floats(1e-6, 2))
    def test_expected_excess_is_between_its_bounds(self, gap, std):
        (value,) = expected_excess(np.array([gap]), np.array([std]))
        assert max(gap, 0.0) - 1e-9 <= value <= max(gap, 0.0) + 0.4 * std


@pytest.mark.parametrize("d", [1, 2, 3, MOST, MOST + 1])
@pytest.mark.parametrize("n", [2, 64, 2048])
def test_points_are_those_of_scipy(d, n):
    ours, theirs = (np.random.default_rng(d) for _ in range(2))
    assert np.array_equal(sobol(d, n, ours), qmc.Sobol(d, rng=theirs).random(n))
    assert ours.random() == theirs.random()


def test_points_that_found_no_room_are_not_used(monkeypatch):
    monkeypatch.setattr("scipy.stats.qmc.Sobol.random", lambda self, n: np.zeros((n, MOST + 1)))
    with pytest.raises(MemoryError):
        Improvement(np.zeros(0), np.zeros((0, MOST + 1)), np.random.default_rng(0))
