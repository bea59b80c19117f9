"""Multiply-adds of single ONNX nodes: for simulated times, shares of fused layers and comparisons of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

PRODUCTS = ("Conv", "Gemm", "MatMul", "Einsum")
"""Operators that multiply and add; others have no multiply-adds."""


def node_madds(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    """Elements of the output times the products in each; 0 for other operators and where shapes are not known.

    Args:
        node: of any operator.
        shapes: by tensor, of weights and activations.
    """
    if node.op_type not in PRODUCTS or not all(shapes.get(name) for name in (*node.input[:2], node.output[0])):
        return 0
    if node.op_type == "Einsum":
        return _einsum(node, shapes)
    dims = shapes[node.input[1]]
    if node.op_type == "Conv":
        products = prod(dims[1:])
    else:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        products = dims[-1] if transposed else dims[-2]
    return prod(shapes[node.output[0]]) * products


def _einsum(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    """The sizes of all letters; 0 for a sum over one input, or with an ellipsis, which torch's attention has not."""
    equation = next(a.s.decode() for a in node.attribute if a.name == "equation").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) != 2 or "." in equation:
        return 0
    pairs = zip(terms, node.input, strict=True)
    return prod({x: n for term, name in pairs for x, n in zip(term, shapes[name], strict=True)}.values())
