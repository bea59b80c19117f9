from __future__ import annotations

import numpy as np
import pytest

from hwnas.space import get_space
from lut.build import spread_networks
from lut.observe import Unit, pool
from lut.protocols import layers_at
from lut.response import in_usual_state, responses

SPACE = get_space("mbv3")
LAYERS = {layer.key: layer for layer in SPACE.all_layers()}
STAGES = {layer.in_channels for layer in LAYERS.values()}


def true_ms(layer):
    return 1e-3 * (layer.madds / 1e6) ** 0.8 + 1e-3


def covers(state, response, noise=0.0, resolutions=SPACE.resolutions):
    """A cover a resolution, its machine so much slower; a layer feels it by the (1 + response)-th power."""
    rng = np.random.default_rng(0)
    units = []
    for r, f in zip(resolutions, state, strict=True):
        observed = {
            layer.key: [true_ms(layer) * f ** (1 + response(layer)) * float(np.exp(noise * rng.standard_normal()))]
            for layer in layers_at(SPACE, r)
        }
        units.append(Unit(f"{r} px", observed, [], [f, 2 * f, 3 * f], 1.0, 10, 0))
    return units


def late(layer):
    """The later a stage, the more it feels a neighbour, as measured with OpenVINO in bf16 on a Xeon with AMX."""
    return float(np.log(layer.in_channels / 60) / 8)


def changing(seed, spread=0.3):
    f = np.exp(spread * np.random.default_rng(seed).choice([-1.0, 1.0], len(SPACE.resolutions)))
    return (f / np.exp(np.log(f).mean())).tolist()


def worst_stage(units):
    """Of the sums of a stage's layers, relative to the truth."""
    entries = pool(units)
    stages = [[k for k, layer in LAYERS.items() if layer.in_channels == c] for c in sorted(STAGES)]
    return max(abs(sum(entries[k].ms for k in s) / sum(true_ms(LAYERS[k]) for k in s) - 1) for s in stages)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_layers_that_feel_a_neighbour_more_than_others_are_brought_to_the_usual_state(seed):
    units = covers(changing(seed), late, noise=0.02)
    corrected = in_usual_state(units, LAYERS)
    errors = [
        np.mean([abs(e.ms / true_ms(LAYERS[k]) - 1) for k, e in pool(some).items()]) for some in (units, corrected)
    ]
    assert errors[1] < 0.6 * errors[0] and worst_stage(corrected) < worst_stage(units)
    found = responses(units, np.array(changing(seed)), LAYERS)
    known = [np.log(group[1] / 60) / 8 for group in found]
    assert np.corrcoef(list(found.values()), known)[0, 1] > 0.9


def test_where_the_machine_does_not_change_nothing_does():
    units = covers([1.0] * len(SPACE.resolutions), late, noise=0.02)
    assert in_usual_state(units, LAYERS) == units


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_taken_for_a_response(seed):
    """A drift of a percent, and layers that do not agree by more than that."""
    drift = changing(seed, 0.01)
    units = covers(drift, lambda layer: 0.0, noise=0.05)
    changed = [
        a / b - 1
        for u, v in zip(units, in_usual_state(units, LAYERS), strict=True)
        for k in u.layers
        for a, b in zip(v.layers[k], u.layers[k], strict=True)
    ]
    assert np.abs(changed).mean() < 0.005 and np.abs(changed).max() < 0.011


def test_few_covers_and_layers_too_short_for_a_clock_are_left_as_they_are():
    units = covers(changing(0)[:4], late, resolutions=SPACE.resolutions[:4])
    assert in_usual_state(units, LAYERS) == units
    none = [Unit(u.name, {k: [0.0] for k in u.layers}, [], u.sentinels, 1.0, 10, 0) for u in covers(changing(0), late)]
    assert in_usual_state(none, LAYERS) == none


@pytest.mark.parametrize("name", ["mbv3", "proxyless", "tiny"])
def test_networks_of_a_build_are_spread_evenly_over_the_resolutions(name):
    space = get_space(name)
    every = len(space.resolutions)
    genes = spread_networks(space, 5 * every + 3, seed=1)
    counts = [np.bincount(genes[:n, 0], minlength=every + 1)[1:] for n in range(1, len(genes) + 1)]
    assert all(np.ptp(c) <= 1 for c in counts) and (genes == space.canonical(genes)).all()
    assert (genes == spread_networks(space, 5 * every + 3, seed=1)).all()
    assert len({tuple(row) for row in genes.tolist()}) == len(genes) or name == "tiny"
