"""Tables of the space `tiny` whose milliseconds follow from the layers' multiply-adds, so that answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.space import SearchSpace, get_space
from lut import Entry, LatencyTable, SpaceId
from profilers.base import Options


def known_ms(layer) -> float:
    return 1e-3 + layer.madds * 1e-7


def make_table(space: SearchSpace, **changes) -> LatencyTable:
    keys = {layer.key: layer for layer in space.all_layers()}
    entries = {key: Entry(known_ms(layer), 0.01 * known_ms(layer), 3) for key, layer in keys.items()}
    known = {"space": SpaceId.of(space), "entries": entries, "status": "measured", "method": "in-context"}
    return LatencyTable(**{**known, "device": "nothing", "options": Options(), **changes})


@pytest.fixture
def space() -> SearchSpace:
    return get_space("tiny")


@pytest.fixture
def table(space) -> LatencyTable:
    return make_table(space)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
