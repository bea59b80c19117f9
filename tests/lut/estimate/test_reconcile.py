"""Traced layer times that are wrong are mended by networks measured end to end, and right ones are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.space import get_space
from lut.estimate.networks import Networks
from lut.estimate.reconcile import Sizes, reconcile
from lut.protocols import layers_at
from lut.table.entry import Entry


def networks_of(space, n, seed, truth):
    archs = space.decode(space.sample(n, np.random.default_rng(seed)))
    keys = [[layer.key for layer in space.layers(a)] for a in archs]
    ms, none = np.array([sum(truth[k] for k in some) for some in keys]), np.zeros(n)
    return Networks(keys, ms, np.arange(n) // 18, none, none, none > 0)


def noisy(networks, size, rng):
    return replace(networks, ms=networks.ms * (1 + size * rng.standard_normal(len(networks))))


def errors(entries, networks):
    """Relative, of the sums of layers."""
    sums = np.array([sum(entries[k].ms for k in keys) for keys in networks.keys])
    return sums / networks.ms - 1


def test_wrong_traces_are_mended_by_networks_end_to_end():
    """Traces that charge every layer 3 us too much and lose a third of depthwise time, as tiny networks show."""
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    traced = {k: Entry(truth[k] * 0.7 + 3e-3, 1e-5, 3) for k in layers}
    reconciled = reconcile(traced, layers, networks_of(space, 150, 0, truth), 1)
    fresh = networks_of(space, 50, 1, truth)
    before, after = (np.abs(errors(entries, fresh)).mean() for entries in (traced, reconciled.entries))
    assert before > 0.3 and after < 0.01 and all(e.ms > 0 for e in reconciled.entries.values())


def test_a_fold_in_which_a_layer_keeps_too_little_is_reconciled_all_the_same():
    """Else its networks are predicted by traces, and the interval is as wide as those are wrong."""
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-5 + 2e-7 * x.madds for k, x in layers.items()}
    traced = {k: Entry(truth[k] + 3e-3, 1e-5, 3) for k in layers}
    known = Sizes(feature=0.3, layer=0.1, noise=0.005)
    found = reconcile(traced, layers, networks_of(space, 150, 0, truth), 1, sizes=known)
    shares = [found.entries[k].ms / traced[k].ms for k in layers]
    assert found.sizes == known and min(shares) == pytest.approx(0.1) and max(shares) < 0.9


def test_right_traces_are_left_alone():
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    rng = np.random.default_rng(0)
    seen = noisy(networks_of(space, 100, 0, truth), 0.01, rng)
    reconciled = reconcile({k: Entry(ms, 1e-5, 3) for k, ms in truth.items()}, layers, seen, 1)
    changes = [abs(reconciled.entries[k].ms / truth[k] - 1) for k in truth]
    assert np.mean(changes) < 0.01


def test_the_scale_is_that_of_networks_timed_as_a_users_are():
    """Covering networks 4 % slower than they would be alone, and the traces with them."""
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    rng = np.random.default_rng(0)
    covers, alone = networks_of(space, 180, 2, truth), networks_of(space, 36, 0, truth)
    covers = replace(covers, ms=1.04 * covers.ms, cover=covers.ms > 0)
    seen = noisy(covers.joined(replace(alone, group=alone.group + 10)), 5e-3, rng)
    reconciled = reconcile({k: Entry(1.04 * ms, 1e-5, 3) for k, ms in truth.items()}, layers, seen, 1)
    fresh = networks_of(space, 50, 1, truth)
    assert abs(errors(reconciled.entries, fresh).mean()) < 0.006


def test_what_a_group_of_networks_shares_is_not_attributed_to_its_layers():
    space = get_space("tiny")
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    shift = np.array([0.03, -0.03, 0.0, 0.03, -0.03, 0.0])
    rng = np.random.default_rng(0)
    seen = networks_of(space, 108, 0, truth)
    seen = replace(seen, ms=seen.ms * (1 + shift[seen.group] + 3e-3 * rng.standard_normal(len(seen))))
    reconciled = reconcile({k: Entry(ms, 1e-5, 3) for k, ms in truth.items()}, layers, seen, 1)
    fresh = networks_of(space, 50, 1, truth)
    assert reconciled.sizes.group >= 0.01 and np.abs(errors(reconciled.entries, fresh)).mean() < 0.006


def test_covers_that_are_off_as_a_whole_are_mended_by_networks_end_to_end():
    """Each resolution traced in a minute of its own: all its layers 5 % too slow, or too quick."""
    space = get_space("tiny", [12, 16, 20, 24])
    layers = {layer.key: layer for layer in space.all_layers()}
    truth = {k: 1e-3 + 2e-7 * x.madds for k, x in layers.items()}
    rng = np.random.default_rng(0)
    seen = {k: [i for i, r in enumerate(space.resolutions) if k in at(space, r)] for k in layers}
    off = [0.05, -0.05, 0.04, -0.06]
    traced = {k: Entry(truth[k] * (1 + np.mean([off[i] for i in seen[k]])), 1e-5, 1) for k in layers}
    networks = noisy(networks_of(space, 72, 0, truth), 3e-3, rng)
    reconciled = reconcile(traced, layers, networks, 1, seen)
    fresh = networks_of(space, 50, 1, truth)
    assert reconciled.sizes.cover >= 0.03 and np.abs(errors(reconciled.entries, fresh)).mean() < 0.006
    again = reconcile(traced, layers, networks, 1, seen, reconciled.sizes)
    assert again == reconciled


def at(space, resolution):
    return {layer.key for layer in layers_at(space, resolution)}
