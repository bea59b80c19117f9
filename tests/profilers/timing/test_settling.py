"""How many runs it takes until a model's caches are its own."""

from __future__ import annotations

import numpy as np
import pytest

from profilers.timing.settling import LEAST, MOST, RUNS, SETTLED, Settling, fit


def turns(size: float, period: float, noise: float = 0.0, models=(0.7, 1.3, 3.5), n: int = 48):
    """(model's ms, its times) of n turns with an excess of size exp(-k / period) ms."""
    rng = np.random.default_rng(0)
    for i in range(n):
        ms = models[i % len(models)]
        yield ms, (ms + size * np.exp(-np.arange(RUNS) / period)) * (1 + noise * rng.standard_normal(RUNS))


def learnt(*args, **more) -> Settling:
    settling = Settling()
    for _, times in turns(*args, **more):
        settling.observe(times)
    return settling


@pytest.mark.parametrize(("size", "period"), [(0.3, 3.0), (0.1, 1.0), (1.0, 2.0)])
def test_the_excess_left_after_the_untimed_runs_is_below_a_hundredth(size, period):
    settling = learnt(size, period, noise=0.02)
    assert settling.known
    for ms in (0.7, 1.3, 3.5, 8.0, 30.0):
        runs = settling.untimed(ms)
        assert LEAST <= runs <= MOST
        left = size * np.exp(-runs / period) / ms
        assert left <= 2 * SETTLED  # of a fit to noisy times
        if runs > LEAST:
            assert size * np.exp(-(runs - 2) / period) / ms > SETTLED / 2  # and it is not many more than it takes


def test_small_models_take_more_runs_than_large_ones():
    settling = learnt(0.3, 3.0)
    runs = [settling.untimed(ms) for ms in (0.7, 3.5, 30.0)]
    assert runs == sorted(runs, reverse=True) and runs[0] > runs[-1]


def test_where_nothing_is_seen_or_known_it_takes_the_least():
    assert Settling().untimed(1.0) == LEAST
    assert learnt(0.0, 1.0).untimed(0.5) == LEAST
    assert learnt(0.3, 3.0).untimed(float("nan")) == LEAST


def test_a_turn_that_gets_slower_is_no_negative_excess():
    assert fit(-np.ones((10, RUNS)))[0] == 0.0
