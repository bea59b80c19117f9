"""Grouped cross-validation: what is said of new networks comes from groups that the table did not see."""

from __future__ import annotations

import numpy as np
import pytest

from lut import Entry
from lut.estimate.correction import HELD_OUT, fit_interval
from lut.estimate.cross_validation import BETWEEN_SESSION_SD, FOLDS, correct, held_out_sums
from lut.estimate.networks import Networks


def of_groups(offsets, noise=0.003, n=18):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(len(offsets)), n)
    ms = 10 * (1 + np.array(offsets)[group] + noise * rng.standard_normal(len(group)))
    every = np.ones(len(group), int)
    found = Networks([["a"]] * len(group), ms, group, 15 * every, 224 * every, every == 0)
    return found, 10.0 * every


def test_a_session_differs_from_the_next_as_groups_do_and_never_by_less_than_the_least():
    networks, sums = of_groups([0.0] * 12, noise=0.01)
    own = fit_interval(sums, networks.ms).upper - 1
    for speed in (0.0, 0.05):
        _, interval = correct(networks, sums, speed=speed, calibrate=False)
        added = np.sqrt((interval.upper - 1) ** 2 - own**2) / 1.96
        assert added == pytest.approx(max(speed, BETWEEN_SESSION_SD), rel=0.02)


def test_what_groups_share_does_not_make_a_calibration():
    """Offsets of single groups average out over new ones; an offset of all groups is there for them too."""
    assert correct(*of_groups([0.01, -0.01, 0.0, 0.012, -0.012]))[0] is None
    networks, sums = of_groups([0.05] * 5)
    calibration, interval = correct(networks, sums)
    assert calibration.apply(sums[:1], [15], [224])[0] == pytest.approx(10.5, rel=2e-3) and interval.upper < 1.03


def test_each_network_is_predicted_without_its_group():
    networks, _ = of_groups([0.0, 0.0, 0.0])
    seen = []

    def reconcile(rows):
        seen.append(set(networks.group[rows].tolist()))
        return {"a": Entry(float(len(seen)), 0.0, 1)}

    assert held_out_sums(networks, reconcile).tolist() == [1.0] * 18 + [2.0] * 18 + [3.0] * 18
    assert seen == [{1, 2}, {0, 2}, {0, 1}]


def test_many_groups_are_left_out_together():
    networks, _ = of_groups([0.0] * (2 * FOLDS - 1))
    left_out = []

    def reconcile(rows):
        left_out.append(set(networks.group.tolist()) - set(networks.group[rows].tolist()))
        return {"a": Entry(1.0, 0.0, 1)}

    held_out_sums(networks, reconcile)
    assert left_out == [{i, i + FOLDS} if i < FOLDS - 1 else {i} for i in range(FOLDS)]


def test_rows_and_joining_keep_networks_whole():
    networks, _ = of_groups([0.0, 0.1], n=3)
    some = networks.rows([4, 0])
    assert some.ms.tolist() == networks.ms[[4, 0]].tolist() and some.group.tolist() == [1, 0] and len(some.keys) == 2
    both = some.joined(networks)
    assert len(both) == 8 and both.ms[2:].tolist() == networks.ms.tolist() and both.cover.dtype == bool


def test_the_interval_says_where_it_comes_from():
    assert correct(*of_groups([0.0] * 4))[1].source == HELD_OUT
