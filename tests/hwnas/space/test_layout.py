"""What a space is made of: impossible values are refused, and a space derived by `replace` is one made afresh."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space import SPACES, SearchSpace, Stage, get_space
from profilers.errors import BadInput

TINY = SPACES["tiny"]
_ACTS = st.sampled_from(["none", "relu", "relu6", "hswish"])
_CHANNELS = st.integers(1, 64)
_STAGES = st.builds(Stage, _CHANNELS, st.integers(1, 2), _ACTS, st.booleans(), st.integers(0, 3))


def _some(values: list[int]) -> st.SearchStrategy[tuple[int, ...]]:
    return st.sets(st.sampled_from(values), min_size=1, max_size=2).map(lambda x: tuple(sorted(x)))


_CHANGES = {
    "stages": st.lists(_STAGES, min_size=1, max_size=3).map(tuple),
    "resolutions": _some([8, 13, 20, 32]),
    "stem": _CHANNELS,
    "first": st.integers(0, 32),
    "final": _CHANNELS,
    "mix": st.integers(0, 64),
    "in_channels": st.integers(1, 3),
    "classes": st.integers(2, 20),
    "kernels": _some([1, 3, 5, 7]),
    "expands": _some([1, 2, 3, 6]),
    "depths": _some([1, 2, 3]),
    "act": _ACTS,
    "first_act": _ACTS,
    "eps": st.sampled_from([1e-5, 1e-3]),
}


def _fresh(space: SearchSpace) -> SearchSpace:
    """The same definition, made from its fields."""
    return SearchSpace(**{f.name: getattr(space, f.name) for f in fields(space) if f.init})


def _params(space: SearchSpace) -> int:
    return sum(layer.params for layer in space.layers(space.extremes()[1]))


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=_CHANGES))
def test_a_replaced_space_is_one_made_afresh(changes):
    TINY.compile(lambda layer: layer.params)  # whatever the old space remembers of its layers
    derived = replace(TINY, **changes)
    fresh = _fresh(derived)
    assert (derived, derived.signature) == (fresh, fresh.signature)
    assert list(derived.all_layers()) == list(fresh.all_layers())
    for count in (lambda layer: layer.params, lambda layer: layer.madds):
        ours, theirs = derived.compile(count), fresh.compile(count)
        assert np.array_equal(ours.base, theirs.base) and np.array_equal(ours.cost, theirs.cost)


def test_wider_stages_have_wider_layers():
    before = _params(TINY)
    wider = replace(TINY, stages=tuple(replace(stage, channels=2 * stage.channels) for stage in TINY.stages))
    assert _params(wider) > 2 * before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stem": -3}, "stem of space tiny -3; allowed: an integer from 1 to 16384"),
        ({"stem": 8.0}, "stem of space tiny 8.0"),
        ({"mix": True}, "mix of space tiny True"),
        ({"in_channels": 0}, "in_channels of space tiny 0"),
        ({"act": "gelu"}, "activation of space tiny 'gelu'; allowed: none, relu, relu6, hswish"),
        ({"first_act": None}, "first activation of space tiny None"),
        ({"resolutions": ()}, "resolutions of space tiny ()"),
        ({"resolutions": (20, 12)}, "resolutions of space tiny (20, 12); allowed: each value once, in ascending order"),
        ({"resolutions": (4,)}, "resolutions of space tiny 4; allowed: an integer from 8 to 64"),
        ({"resolution_bounds": (0, 64)}, "resolution bounds of space tiny 0"),
        ({"resolution_bounds": (8, 16, 64)}, "resolution bounds of space tiny (8, 16, 64); allowed: two integers"),
        ({"kernels": (3, 4)}, "kernel 4 of space tiny; allowed: odd numbers"),
        ({"kernels": [3, 5]}, "kernels of space tiny [3, 5]; allowed: a tuple of one integer or more"),
        ({"expands": (0, 3)}, "expands of space tiny 0"),
        ({"expands": tuple(range(1, 65)), "kernels": (3, 5, 7, 9)}, "256 choices a layer in space tiny"),
        ({"depths": (0, 1)}, "depths of space tiny 0"),
        ({"stages": ()}, "stages of space tiny"),
        ({"stages": "abc"}, "stages of space tiny"),
        ({"stages": TINY.stages * 22}, "66 stages of space tiny; allowed: at most 64"),
        (
            {"stages": TINY.stages * 2},
            "shrink images of 12 px by 128; allowed: resolutions of 64 px",
        ),
        ({"classes": 1}, "1 classes; allowed: 2 to 100000"),
        ({"width": 0.0}, "width of space tiny 0.0"),
        ({"eps": float("nan")}, "eps of space tiny nan"),
        ({"name": ""}, "name '' of a space"),
    ],
)
def test_an_impossible_space_is_one_clear_line(change, said):
    with pytest.raises(BadInput) as caught:
        replace(TINY, **change)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channels": -3}, "channels of a stage -3"),
        ({"stride": 0}, "stride of a stage 0"),
        ({"act": "gelu"}, "activation of a stage 'gelu'"),
        ({"layers": -1}, "layers of a stage -1"),
        ({"se": 1}, "se of a stage 1; allowed: True or False"),
        ({"kind": "pool"}, "kind of a stage's layers 'pool'; allowed: conv, mbconv, fused"),
    ],
)
def test_an_impossible_stage_is_one_clear_line(change, said):
    with pytest.raises(BadInput) as caught:
        replace(TINY.stages[0], **change)
    assert said in str(caught.value)


def test_too_few_classes_are_refused():
    with pytest.raises(BadInput, match="1 classes; allowed: 2 to 100000"):
        get_space("mbv3", classes=1)
