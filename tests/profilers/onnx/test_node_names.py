"""Names of nodes: made and read by one pair of functions."""

from __future__ import annotations

import pytest

from profilers.onnx.node_names import layer_of, node_name


@pytest.mark.parametrize("index", [0, 7, 10, 99, 100, 1234])
def test_the_layer_in_a_name_is_read_back(index):
    assert layer_of(node_name(index, "expand")) == index
    assert layer_of(node_name(index, "se_gate") + "_nchwc") == index  # what a runtime appends


def test_names_are_those_of_tables_and_engines_made_before():
    assert node_name(7, "expand") == "L07_expand"


@pytest.mark.parametrize("name", ["", "L7", "L7_x", "Lab_x", "reorder", "L071x", "input", "xL07_a"])
def test_other_names_have_no_layer(name):
    assert layer_of(name) is None
