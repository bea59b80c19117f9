"""Hypervolume and nondominated sets, against known volumes, Monte Carlo and the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search.hypervolume import hypervolume, nondominated

seeds = st.integers(0, 2**32 - 1)


class TestHypervolume:
    @pytest.mark.parametrize(
        ("F", "volume"),
        [([[0.5, 0.5]], 0.25), ([[0.2, 0.8], [0.8, 0.2]], 0.28), ([[0, 0, 0]], 1.0), ([[-1.0, 0.0]], 2.0),
         ([[1.2, 0.0]], 0.0), ([[0.5, 0.5], [0.6, 0.6]], 0.25), ([[0.3]], 0.7)],
    )  # fmt: skip
    def test_known_volumes(self, F, volume):
        assert hypervolume(np.array(F, float)) == pytest.approx(volume)

    def test_of_nothing(self):
        assert hypervolume(np.zeros((0, 3))) == 0.0

    @given(seeds, st.integers(1, 5))
    @settings(max_examples=30, deadline=None)
    def test_agrees_with_monte_carlo_and_never_falls(self, seed, m):
        rng = np.random.default_rng(seed)
        F, points = rng.random((12, m)), rng.random((20000, m))
        covered = (F[:, None] <= points).all(axis=2).any(axis=0).mean()
        assert hypervolume(F) == pytest.approx(covered, abs=0.02)
        assert hypervolume(F[:6]) <= hypervolume(F) + 1e-12

    @given(seeds, st.integers(1, 4))
    @settings(max_examples=30, deadline=None)
    def test_nondominated_by_definition(self, seed, m):
        F = np.random.default_rng(seed).integers(0, 4, (30, m)).astype(float)
        dominated = [any((g <= f).all() and (g < f).any() for g in F) for f in F]
        np.testing.assert_array_equal(nondominated(F), ~np.array(dominated))
