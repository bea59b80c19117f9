from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.runtimes.tensorrt.layers import attribute, node_weights, onnx_nodes
from tests.profilers import models

WEIGHTS = {"L00_conv": 90.0, "L00_act": 10.0, "L01_conv": 50.0}


def test_names_come_from_the_metadata_of_detailed_layers():
    layers = [
        {"Name": "Reformat", "Metadata": ""},
        {"Name": "fused", "Metadata": "[ONNX Layer: L00_conv]\x1f[ONNX Layer: L00_act | body (fn)]"},
        {"Name": "bare"},
    ]
    found = onnx_nodes(json.dumps({"Layers": layers, "Bindings": ["input"]}))
    assert found == {"Reformat": (), "fused": ("L00_conv", "L00_act"), "bare": ()}


def test_an_engine_without_details_has_no_names():
    assert onnx_nodes(json.dumps({"Layers": ["L00_conv", "L01_conv"]})) == {}


def test_a_fused_layer_is_shared_by_multiply_adds():
    found = attribute([("fused", 2.0)], {"fused": ("L00_conv", "L00_act")}, WEIGHTS)
    assert found == pytest.approx({"L00_conv": 1.8, "L00_act": 0.2})


def test_a_nameless_layer_is_attributed_to_the_next_and_at_the_end_to_the_last():
    nodes = {"a": ("L00_conv",), "b": ("L01_conv",), "cast": ("cast_input",)}
    found = attribute(
        [("cast", 0.1), ("copy", 0.2), ("a", 1.0), ("copy", 0.4), ("b", 2.0), ("copy", 0.5)], nodes, WEIGHTS
    )
    assert found == pytest.approx({"L00_conv": 1.3, "L01_conv": 2.9})


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three", "none"]), st.floats(0, 9)), min_size=1))
def test_nothing_is_lost(layers):
    nodes = {"one": ("L00_conv",), "two": ("L00_conv", "L00_act"), "three": ("L01_conv", "cast_output")}
    found = attribute(layers, nodes, WEIGHTS)
    named = any(name != "none" for name, _ in layers)
    assert sum(found.values()) == pytest.approx(sum(ms for _, ms in layers) if named else 0.0)


def test_multiply_adds_are_those_of_the_graph():
    found = node_weights(models.chain(kernel=3, channels=8, size=12))
    assert found == {"L00_conv": 144 * 8 * 3 * 9, "L00_act": 8 * 144, "L01_conv": 144 * 8 * 8 * 9}


def test_a_networks_multiply_adds_are_the_papers():
    import numpy as np

    from hwnas.onnx.writer import write_onnx
    from hwnas.space import get_space

    space = get_space("tiny")
    layers = space.layers(space.decode(space.sample(1, np.random.default_rng(0)))[0])
    model = write_onnx(layers, batch=3)
    found = node_weights(model)
    products = {s.name for s in _multiplying(model)}
    assert sum(ms for name, ms in found.items() if name in products) == 3 * sum(layer.madds for layer in layers)


def _multiplying(model: bytes):
    import onnx

    return [n for n in onnx.load_model_from_string(model).graph.node if n.op_type in ("Conv", "Gemm")]
