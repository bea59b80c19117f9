"""One count of multiply-adds for every user of it."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from profilers.onnx.madds import node_madds
from profilers.onnx.parse import tensor_shapes


@pytest.mark.parametrize(
    ("node", "shapes", "expected"),
    [
        (helper.make_node("Conv", ["x", "w"], ["y"], group=2), {"w": (8, 2, 3, 3), "y": (1, 8, 5, 5)}, 8 * 25 * 18),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), {"w": (10, 7), "y": (3, 10)}, 3 * 10 * 7),
        (helper.make_node("Gemm", ["x", "w"], ["y"]), {"w": (7, 10), "y": (3, 10)}, 3 * 10 * 7),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), {"w": (2, 7, 10), "y": (2, 3, 10)}, 2 * 3 * 10 * 7),
        (
            helper.make_node("Einsum", ["x", "w"], ["y"], equation="bij, bjk -> bik"),
            {"x": (2, 3, 7), "w": (2, 7, 10), "y": (2, 3, 10)},
            2 * 3 * 7 * 10,
        ),
        (helper.make_node("Relu", ["x"], ["y"]), {"y": (1, 8)}, 0),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), {"y": (2, 3)}, 0),
    ],
    ids=["Conv", "Gemm transposed", "Gemm", "MatMul", "Einsum", "Relu", "shape unknown"],
)
def test_each_output_costs_the_products_behind_it(node, shapes, expected):
    assert node_madds(node, {"x": (1, 1), **shapes}) == expected


def test_counts_use_the_shapes_that_inference_finds():
    weight = numpy_helper.from_array(np.zeros((7, 10), np.float32), "w")
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Gemm", ["a", "w"], ["y"])]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (3, 7)), ("y", None))]
    model = helper.make_model(helper.make_graph(nodes, "g", tensors[:1], tensors[1:], [weight]))
    shapes = tensor_shapes(model)
    assert shapes["a"] == (3, 7) and [node_madds(n, shapes) for n in nodes] == [0, 210]
