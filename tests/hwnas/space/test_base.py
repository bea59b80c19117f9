from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space import SPACES, Architecture, get_space, parse_resolutions
from hwnas.space.arch_lines import parse_lines
from hwnas.space.layer import LayerSpec, round_channels
from profilers.errors import BadInput

NAMES = sorted(SPACES)


def genotypes(name: str):
    """Any integer vector within the bounds, canonical or not."""
    space = SPACES[name]
    return st.tuples(*(st.integers(int(a), int(b)) for a, b in zip(space.lower, space.upper, strict=True))).map(
        np.array
    )


@pytest.fixture(params=NAMES)
def space(request):
    return get_space(request.param)


@pytest.mark.parametrize("name", NAMES)
def test_decode_then_encode_is_canonical(name):
    space = SPACES[name]

    @settings(max_examples=60, deadline=None)
    @given(genotypes(name))
    def check(genes):
        canonical = space.canonical(genes)
        assert np.array_equal(space.encode(space.decode(genes)), canonical)
        assert np.array_equal(space.canonical(canonical), canonical)
        assert space.decode(canonical) == space.decode(genes)

    check()


@pytest.mark.parametrize("name", NAMES)
def test_two_genotypes_of_one_network_are_equal_after_canonical(name):
    space = SPACES[name]

    @settings(max_examples=60, deadline=None)
    @given(genotypes(name), genotypes(name))
    def check(genes, noise):
        absent = space.canonical(genes)[0] == 0
        other = np.where(absent, 0, genes)
        first_absent = [s for s in range(space.slots) if absent[1 + s]]
        for slot in first_absent:  # what stands behind the first absent slot of a stage must not matter
            if space.position[slot] and absent[slot]:
                other[1 + slot], other[1 + space.slots + slot] = noise[1 + slot], noise[1 + space.slots + slot]
        assert np.array_equal(space.canonical(other), space.canonical(genes))

    check()


def test_samples_are_canonical_distinct_and_of_every_depth(space):
    genes = space.sample(2000, np.random.default_rng(0))
    assert np.array_equal(space.canonical(genes), genes)
    assert len(np.unique(genes, axis=0)) > 1900
    assert {d for arch in space.decode(genes) for d in arch.d} == set(space.all_depths)
    assert {arch.r for arch in space.decode(genes)} == set(space.resolutions)


def test_cover_holds_every_choice_of_every_slot_once(space):
    archs = space.cover(space.resolutions[0], np.random.default_rng(1))
    choices = space.choices(space.encode(archs))
    expected = np.arange(1, 1 + len(space.kernels) * len(space.expands))
    assert all(np.array_equal(np.sort(column), expected) for column in choices.T)
    covered = {
        layer.key
        for r in space.resolutions
        for a in space.cover(r, np.random.default_rng(2))
        for layer in space.layers(a)
    }
    assert covered == {layer.key for layer in space.all_layers()}


def test_both_json_forms_give_the_same_architecture(space):
    for arch in space.decode(space.sample(20, np.random.default_rng(3))):
        padded = arch.to_json()
        for key, filler in (("ks", 3), ("e", 6)):
            values, out = iter(padded[key]), []
            for depth, capacity in zip(arch.d, space.capacity, strict=True):
                out += [next(values) for _ in range(depth)] + [filler] * (capacity - depth)
            padded[key] = out
        assert space.parse(padded) == space.parse(arch.to_json()) == arch


def test_ofas_depth_of_a_stage_of_one_layer_is_cut():
    """OFA's `set_active_subnet` takes the smaller of a stage's number of layers and the depth asked for."""
    space = get_space("proxyless")
    padded = {"ks": [3] * 21, "e": [4] * 21, "d": [2, 3, 4, 2, 3, 4], "r": 224}
    assert space.parse(padded).d == (2, 3, 4, 2, 3, 1) and len(space.parse(padded).ks) == 15
    with pytest.raises(BadInput, match="5 stages"):
        space.parse(padded | {"d": [2, 3, 4, 2, 3]})


def test_the_forms_that_once_for_alls_programs_write():
    space = get_space("mbv3")
    plain = {"ks": [7] * 10, "e": [4] * 10, "d": [2] * 5, "r": 224}
    gaps = [7, 7, None, None] * 5  # as NSGANetV2's pad_none
    theirs = [
        {**plain, "r": [224]},
        {**plain, "wid": None, "w": 1.0},
        {**plain, "w": [1.0], "ks": gaps, "e": [4, 4, 0, 0] * 5},
        {"image_size": 224, "d": 2, "e": 4, "ks": 7},  # as progressive_shrinking.py's validate
        {"image_size": [224], "d": [2] * 5, "e": [4] * 20, "ks": [7] * 20},
    ]
    assert {space.parse(value) for value in theirs} == {space.parse(plain)}
    assert parse_lines(json.dumps(theirs[-1]), Path("f"))[0].pixels == 224


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wid": 1.2}, "width 1.2"),
        ({"r": [192, 224]}, "an architecture of 2 resolutions; allowed: one: an architecture for each"),
        ({"image_size": 224}, "an architecture with"),
        ({"ks": [None] * 20}, "'ks' of an architecture"),
        ({"ks": [3] * 9}, "'ks' of an architecture has 9 entries"),
        ({"ks": [9] + [3] * 19}, "kernel 9"),
        ({"e": [5] + [3] * 19}, "expand 5"),
        ({"d": [5, 2, 2, 2, 2]}, "depths"),
        ({"d": [1, 4, 4, 4, 4], "ks": [3] * 17, "e": [3] * 17}, "depth 1"),
        ({"d": [4] * 4, "ks": [3] * 16, "e": [3] * 16}, "4 stages"),
        ({"r": 193}, "resolution 193"),
        ({"r": 224.0}, "'r' of an architecture"),
        ({"r": True}, "'r' of an architecture"),
        ({"ks": "3333"}, "'ks' of an architecture"),
        ({"w": 1.2}, "width 1.2"),
        ({"colour": 1}, "an architecture with"),
        ({"d": None}, "'d' of an architecture"),
        ({"d": [-1, 4, 4, 4, 4]}, "depths"),
    ],
)
def test_a_malformed_architecture_is_one_clear_line(change, said):
    good = {"ks": [3] * 20, "e": [3] * 20, "d": [4] * 5, "r": 224}
    space = get_space("mbv3")
    assert space.parse(good).r == 224
    with pytest.raises(BadInput, match=said) as caught:
        space.parse(good | change)
    assert "\n" not in str(caught.value)


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
_KEYS = st.sampled_from(["ks", "e", "d", "r", "w", "x"])


def _containers(inner):
    return st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.recursive(_LEAVES, _containers, max_leaves=12))
def test_any_json_is_an_architecture_or_a_clear_error(value):
    try:
        assert isinstance(SPACES["mbv3"].parse(value), Architecture)
    except BadInput as error:
        assert "\n" not in str(error)


def test_genes_outside_the_bounds_are_refused(space):
    good = space.sample(2, np.random.default_rng(0))
    for bad in (good + space.upper, good[:, :-1], good.astype(float), -good):
        with pytest.raises(BadInput):
            space.canonical(bad)


def test_names_and_resolutions():
    with pytest.raises(BadInput, match=r"unknown space 'mbv4'.*mbv3"):
        get_space("mbv4")
    with pytest.raises(BadInput, match="resolutions"):
        get_space("mbv3", [8])
    assert get_space("mbv3").resolutions == tuple(range(192, 257, 4))
    assert parse_resolutions("160:224:16") == (160, 176, 192, 208, 224)
    assert parse_resolutions("160,224") == (160, 224)
    for text in ("", "224:160:16", "1:2", "a", "160:224:0"):
        with pytest.raises(BadInput):
            parse_resolutions(text)


@given(st.floats(1, 4000))
def test_rounding_keeps_nine_tenths(value):
    assert round_channels(value) % 8 == 0
    assert round_channels(value) >= min(0.9 * value, value - 1e-9)


def test_equal_keys_mean_equal_layers(space):
    by_key: dict[str, LayerSpec] = {}
    for layer in space.all_layers():
        assert by_key.setdefault(layer.key, layer) == layer
