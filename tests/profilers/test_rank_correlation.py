"""Rank correlations, against SciPy's."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from profilers.rank_correlation import kendall, spearman


@pytest.mark.parametrize("levels", [2, 5, 1000])
@pytest.mark.parametrize("n", [2, 3, 40, 300, 1203])
def test_they_are_scipys(n, levels):
    rng = np.random.default_rng([n, levels])
    a = np.append(rng.integers(0, levels, n - 1), levels) / 3
    b = np.where(rng.random(n) < 0.5, -a, np.append(rng.integers(0, levels, n - 1), -1))
    assert kendall(a, b) == kendalltau(a, b).statistic
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


@pytest.mark.parametrize("correlation", [kendall, spearman])
def test_of_equal_values_there_is_none(correlation):
    assert math.isnan(correlation([1, 1, 1], [1, 2, 3])) and math.isnan(correlation([1, 2, 3], [5, 5, 5]))
    assert correlation([1, 2, 3, 4], [2, 4, 6, 9]) == pytest.approx(1) == -correlation([1, 2, 3], [3, 2, 1])
