"""ONNX that hwnas wrote as a torch module: one submodule a node, named as the node, BatchNorm folded as there.

Any other ONNX is refused: an importer of all of ONNX would time a network that its author never ran. The nodes are
those of `hwnas.onnx.writer`, named by `profilers.onnx.node_names`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from profilers.errors import BadInput, shown

if TYPE_CHECKING:
    import onnx
    from torch import fx, nn

    Make = Callable[["Operator"], nn.Module | None]

OURS = re.compile(r"L[0-9]{2,}_[A-Za-z0-9_]+")  # names that torch.fx writes into Python code
DEFAULTS = {"dilations": [1, 1], "auto_pad": b"NOTSET", "alpha": 1.0, "beta": 1.0}
Weights = Mapping[str, NDArray[Any]]


def network(proto: onnx.ModelProto) -> fx.GraphModule:
    """A module in evaluation mode that takes the model's inputs in order and gives a tuple of its outputs.

    Raises:
        BadInput: a model that hwnas did not write.
    """
    import torch
    from onnx import numpy_helper

    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    may_overwrite = _may_overwrite(proto.graph)
    modules = {str(node.name): _module(node, weights, may_overwrite) for node in proto.graph.node}
    return torch.fx.GraphModule(torch.nn.ModuleDict(modules), _graph(proto.graph)).eval()


def _graph(graph: onnx.GraphProto) -> fx.Graph:
    """The flow of data; names that are written into code are checked or made here."""
    from torch import fx

    weights = {tensor.name for tensor in graph.initializer}
    made, flow = fx.Graph(), {}
    for i, value in enumerate(value for value in graph.input if value.name not in weights):
        flow[value.name] = made.placeholder(f"x{i}")
    for node in graph.node:
        read = [name for name in node.input if name not in weights]
        if not set(read) <= set(flow):
            raise foreign(node)
        flow[node.output[0]] = made.call_module(node.name, tuple(flow[name] for name in read))
    made.output(tuple(flow[value.name] for value in graph.output))
    return made


def _may_overwrite(graph: onnx.GraphProto) -> Callable[[str], bool]:
    """Whether an activation may work in place, as it does in networks that people write: nothing else reads it."""
    kept = {value.name for value in (*graph.input, *graph.output)}
    reads = Counter(name for node in graph.node for name in node.input)
    return lambda name: reads[name] == 1 and name not in kept


def _module(node: onnx.NodeProto, weights: Weights, may_overwrite: Callable[[str], bool]) -> nn.Module:
    from onnx.helper import get_attribute_value

    if not OURS.fullmatch(node.name) or node.op_type not in MODULES or len(node.output) != 1:
        raise foreign(node)
    attributes = {a.name: get_attribute_value(a) for a in node.attribute}
    parameters = [weights[name] for name in node.input if name in weights]
    module = MODULES[node.op_type](Operator(attributes, parameters, may_overwrite(node.input[0])))
    if module is None:
        raise foreign(node)
    return module


def foreign(node: onnx.NodeProto) -> BadInput:
    """The refusal of a node that hwnas does not write."""
    got = f"an ONNX model that hwnas did not write (node {shown(node.name or node.op_type)}) on torch"
    allowed = "networks of a search space, or the torch module itself"
    return BadInput(got, allowed, "python:module:NAME, which gives the module")


class Operator(NamedTuple):
    """What a node says beside its kind; `overwrite`: it may work in place."""

    attributes: Mapping[str, Any]
    parameters: list[NDArray[Any]]
    overwrite: bool

    def only(self, *known: str) -> bool:
        """Whether attributes other than the known ones have their defaults."""
        return all(value == DEFAULTS.get(name) for name, value in self.attributes.items() if name not in known)


def _convolution(operator: Operator) -> nn.Module | None:
    from torch import nn

    given, weight = operator.attributes, operator.parameters[0]
    pads, strides, groups = list(given.get("pads", [0] * 4)), tuple(given.get("strides", (1, 1))), given.get("group", 1)
    if pads[:2] != pads[2:] or not operator.only("kernel_shape", "strides", "pads", "group"):
        return None
    made = nn.Conv2d(
        weight.shape[1] * groups, weight.shape[0], weight.shape[2:], strides, tuple(pads[:2]), groups=groups,
        bias=len(operator.parameters) > 1, device="meta",
    )  # fmt: skip
    return _filled(made, operator)


def _linear(operator: Operator) -> nn.Module | None:
    from torch import nn

    if operator.attributes.get("transB") != 1 or not operator.only("transB"):
        return None
    rows, columns = operator.parameters[0].shape
    return _filled(nn.Linear(columns, rows, bias=len(operator.parameters) > 1, device="meta"), operator)


def _filled(module: nn.Module, operator: Operator) -> nn.Module:
    """With the node's parameters; the module was made without any."""
    import torch

    names = [name for name, _ in module.named_parameters()]
    values = {name: torch.from_numpy(np.array(value)) for name, value in zip(names, operator.parameters)}
    module.load_state_dict(values, assign=True)
    return module.requires_grad_(False)


def _relu6(operator: Operator) -> nn.Module | None:
    from torch import nn

    return nn.ReLU6(operator.overwrite) if [float(value) for value in operator.parameters] == [0.0, 6.0] else None


def _gate(operator: Operator) -> nn.Module | None:
    from torch import nn

    slope, height = (operator.attributes.get(name, usual) for name, usual in (("alpha", 0.2), ("beta", 0.5)))
    usual = math.isclose(slope, 1 / 6, rel_tol=1e-6) and height == 0.5
    return nn.Hardsigmoid(operator.overwrite) if usual else None


def _activation(name: str) -> Make:
    """Of a module of torch that takes only whether it works in place."""

    def make(operator: Operator) -> nn.Module | None:
        from torch import nn

        made: nn.Module = getattr(nn, name)(operator.overwrite)
        return made

    return make


def _pool(operator: Operator) -> nn.Module | None:
    from torch import nn

    return nn.AdaptiveAvgPool2d(1)


def _flatten(operator: Operator) -> nn.Module | None:
    from torch import nn

    return nn.Flatten() if operator.attributes.get("axis", 1) == 1 else None


def _pairwise(name: str) -> Make:
    """Of a function of two tensors, as a module: ranges are put around modules."""

    def make(operator: Operator) -> nn.Module | None:
        import torch

        function = getattr(torch, name)

        class Pairwise(torch.nn.Module):
            def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
                result: torch.Tensor = function(a, b)
                return result

        Pairwise.__name__ = name.capitalize()
        return Pairwise()

    return make


MODULES: dict[str, Make] = {
    "Conv": _convolution,
    "Gemm": _linear,
    "Relu": _activation("ReLU"),
    "HardSwish": _activation("Hardswish"),
    "HardSigmoid": _gate,
    "Clip": _relu6,
    "GlobalAveragePool": _pool,
    "Flatten": _flatten,
    "Add": _pairwise("add"),
    "Mul": _pairwise("mul"),
}
"""By ONNX operator; None of one whose attributes hwnas does not write."""
