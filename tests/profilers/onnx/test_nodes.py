"""Nodes read from the bytes, beside what the package onnx reads."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.errors import BadInput
from profilers.onnx.nodes import read_nodes, weights
from tests.profilers.models import chain


def models():
    space = get_space("tiny")
    smallest = write_onnx(space.layers(space.extremes()[0]))
    condition = helper.make_node("If", ["c"], ["y"], name="", then_branch=branch("a"), else_branch=branch("b"))
    flag, out = (helper.make_tensor_value_info(*x) for x in (("c", TensorProto.BOOL, []), ("y", TensorProto.FLOAT, [])))
    graph = helper.make_graph([condition], "g", [flag], [out])
    return {"chain": chain(), "tiny": smallest, "If": helper.make_model(graph).SerializeToString()}


def branch(name):
    node = helper.make_node("Constant", [], [name], value_float=1.0)
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [])])


@pytest.mark.parametrize("name", ["chain", "tiny", "If"])
def test_as_the_package_onnx_reads_them(name, tmp_path):
    model = models()[name]
    graph = onnx.load_model_from_string(model).graph
    path = tmp_path / "m.onnx"
    path.write_bytes(model)
    for found in (read_nodes(model), read_nodes(path)):
        assert [tuple(n) for n in found.node] == [
            (tuple(n.input), tuple(n.output), n.name, n.op_type) for n in graph.node
        ]
        assert found.input == tuple(t.name for t in graph.input)
        assert found.output == tuple(t.name for t in graph.output)
    assert [model[a:b] for a, b in weights(model)] == [t.raw_data for t in graph.initializer if t.raw_data]


@pytest.mark.parametrize(
    "data", [b"no model", b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x02\x0a\x09", b"\xff" * 20, b"\x38\x01\x00"]
)
def test_what_is_no_model(data):
    with pytest.raises(BadInput, match="an ONNX model"):
        read_nodes(data)


def test_a_model_that_is_cut():
    model = chain()
    with pytest.raises(BadInput):
        read_nodes(model[: len(model) // 2])
