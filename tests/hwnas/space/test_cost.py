from __future__ import annotations

import json

import numpy as np
import pytest

from hwnas.space import SPACES, get_space


def counts(space, arch):
    layers = space.layers(arch)
    return sum(x.params for x in layers), sum(x.madds for x in layers)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_look_up_equals_the_walk(name):
    space = get_space(name)
    genes = space.sample(300, np.random.default_rng(0))
    choices = space.choices(genes)
    params = space.compile(lambda x: x.params).evaluate(genes[:, 0], choices)
    madds = space.compile(lambda x: x.madds).evaluate(genes[:, 0], choices)
    for arch, p, m in zip(space.decode(genes), params, madds, strict=True):
        assert counts(space, arch) == (p, m)


def test_parameters_of_ofas_own_networks(published):
    cases = json.loads((published / "ofa/mbv3_checkpoint_format.json").read_text())
    for width, name in (("1.0", "mbv3"), ("1.2", "mbv3-w1.2")):
        space = get_space(name)
        for case in cases[width]["cases"]:
            assert counts(space, space.parse(case["arch"]))[0] == case["params"]


def test_mobilenet_like_layers_by_hand():
    """The first bottleneck at 224 px, counted by hand: 16x3x3 depthwise and 16x16 projection at 112 x 112."""
    layers = get_space("mbv3", [224]).layers(get_space("mbv3", [224]).extremes()[0])
    assert layers[0].madds == 112 * 112 * 16 * 27
    assert layers[1].madds == 112 * 112 * (16 * 9 + 16 * 16)
    assert layers[1].params == 16 * 9 + 32 + 16 * 16 + 32
    assert layers[-1].params == 1280 * 1000 + 1000
