from __future__ import annotations

import numpy as np

from lut import Entry
from lut.table.show import draw, facts, heat, suspicious
from tests.lut.conftest import make_table


def test_heat_map_holds_the_layers(space, table):
    picture = heat(table, space, 16)
    assert picture.ms.shape == (space.slots, 9) and picture.columns[0] == "k3 e3" and picture.columns[-1] == "k7 e6"
    assert picture.ms[4, 8] == table.entries[space.slot_layer(4, 16, 7, 6).key].ms
    lines = list(draw(picture))
    assert len(lines) == 2 + space.slots and all(f"{ms:.4f}" in lines[2] for ms in picture.ms[0])
    assert lines[-1].count("█") + lines[-1].count("▓") > 0 and "█" not in lines[2][:20]


def test_facts_name_what_matters(table):
    found = dict(facts(table))
    assert found["last verify"] == "never" and "standard errors" in found["interval"] and "tiny" in found["space"]


def test_figures_of_the_last_verify_are_shown(space):
    table = make_table(space, verify={"mape": 0.0123456, "networks": 60}, provenance={"warnings": ["noisy"]})
    found = list(facts(table))
    assert ("warning", "noisy") in found and dict(found)["last verify"] == "60 random networks, MAPE 1.23%"


def test_a_bigger_layer_that_is_faster_is_flagged(space, table):
    assert suspicious(table, space) == []
    small, big = (space.slot_layer(4, 16, k, 3).key for k in (3, 5))
    faster = Entry(0.5 * table.entries[small].ms, 1e-6, 3)
    assert (small, big) in suspicious(make_table(space, entries={**table.entries, big: faster}), space)
    unsure = Entry(faster.ms, float(np.hypot(1, faster.ms)), 1)
    assert suspicious(make_table(space, entries={**table.entries, big: unsure}), space) == []
