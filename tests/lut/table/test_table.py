from __future__ import annotations

import time

import numpy as np
import pytest

from hwnas.space import get_space
from lut import Entry
from lut.estimate.correction import Calibration, Interval
from profilers.errors import BadInput, TableError
from tests.lut.conftest import known_ms, make_table


def test_prediction_is_the_sum_over_the_walk(space, table, rng):
    genes = space.sample(200, rng)
    expected = [sum(known_ms(layer) for layer in space.layers(arch)) for arch in space.decode(genes)]
    estimate = table.bind(space).predict(genes)
    np.testing.assert_allclose(estimate.ms, expected, rtol=1e-12)
    assert (estimate.low < estimate.ms).all() and (estimate.ms < estimate.high).all()


def test_two_genotypes_of_one_network_cost_the_same(space, table, rng):
    genes = space.sample(100, rng)
    noisy = genes.copy()
    optional = np.flatnonzero(space.optional)
    hidden = (genes[:, 1 : 1 + space.slots] == 0)[:, optional]
    noisy[:, 1 + optional] = np.where(hidden, 2, genes[:, 1 + optional])  # kernel set, expand still 0: absent
    bound = table.bind(space)
    np.testing.assert_array_equal(bound.predict(noisy).ms, bound.predict(genes).ms)


def test_another_space_is_refused(table):
    with pytest.raises(TableError, match=r"space 'tiny'.*'mbv3'"):
        table.bind(get_space("mbv3"))


def test_missing_layers_are_counted_and_the_first_named(space, table):
    gone = list(table.entries)[5:8]
    poorer = make_table(space, entries={k: v for k, v in table.entries.items() if k not in gone})
    with pytest.raises(TableError, match=rf"lacks 3 of the \d+ layers of tiny, first {gone[0]}") as error:
        poorer.bind(space)
    assert "resolutions" in str(error.value) and "\n" not in str(error.value)


def test_other_resolutions_are_missing_layers(table):
    with pytest.raises(TableError, match="resolutions 12,14,16,18,20"):
        table.bind(get_space("tiny", [16, 40]))


def test_fewer_resolutions_may_be_bound(table, rng):
    smaller = get_space("tiny", [12, 20])
    assert (table.bind(smaller).predict(smaller.sample(5, rng)).ms > 0).all()


def test_genes_outside_the_space_are_refused(space, table):
    genes = np.ones((1, space.n_genes), np.int64)
    genes[0, 0] = 99
    with pytest.raises(BadInput):
        table.bind(space).predict(genes)


def test_interval_without_networks_comes_from_standard_errors(space, table, rng):
    genes = space.sample(1, rng)
    layers = space.layers(space.decode(genes)[0])
    half = 1.96 * np.sqrt(sum((0.01 * known_ms(layer)) ** 2 for layer in layers))
    estimate = table.bind(space).predict(genes)
    np.testing.assert_allclose(estimate.high - estimate.ms, half, rtol=1e-9)
    assert "standard errors" in table.interval_source


def test_calibration_and_interval_are_applied(space, rng):
    calibration = Calibration((0.5, 0.01, 0.1, 0.001), 10, 0.2, 0.1)
    corrected = make_table(space, calibration=calibration, interval=Interval(0.9, 1.2, 0.95, 40))
    genes = space.sample(50, rng)
    plain = make_table(space).bind(space).predict(genes).ms
    layers = (space.choices(genes) > 0).sum(axis=1)
    pixels = np.array([arch.r for arch in space.decode(genes)])
    estimate = corrected.bind(space).predict(genes)
    np.testing.assert_allclose(estimate.ms, 1.5 * plain + 0.01 * layers + 0.1 + 0.001 * pixels)
    np.testing.assert_allclose(estimate.low, 0.9 * estimate.ms)
    np.testing.assert_allclose(estimate.high, 1.2 * estimate.ms)
    assert "40 networks" in corrected.interval_source


def test_whole_populations_take_seconds_not_hours():
    """No timing bar: only that a hundred thousand rows do not go through Python one by one (that takes minutes)."""
    mbv3 = get_space("mbv3", [192, 224])
    bound = make_table(mbv3).bind(mbv3)
    genes = mbv3.sample(100_000, np.random.default_rng(0))
    start = time.process_time()
    assert bound.predict(genes).ms.shape == (100_000,)
    assert time.process_time() - start < 30


def test_entries_are_tuples_with_names():
    assert Entry(1.0, 0.1, 3).ms == 1.0
