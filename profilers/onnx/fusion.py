"""Which ONNX nodes stand behind a runtime's nodes, which are fused, split, renamed and joined by nodes of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from profilers.onnx.nodes import Node

APPENDED = re.compile(r"_(token_\d+|nchwc|quant)$")  # by ONNX Runtime
EPILOGUE = {
    "Add", "BatchNormalization", "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul", "Relu", "Sigmoid",
    "Sum", "Tanh",
}  # fmt: skip
T = TypeVar("T")


class NodeNames:
    """The nodes of an ONNX graph, found by the names that runtimes give them."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.order = {_name(node): i for i, node in enumerate(nodes)}
        self.inputs = {_name(node): node.input for node in nodes}
        self.operators = {_name(node): node.op_type for node in nodes}
        self.makers = {tensor: _name(node) for node in nodes for tensor in node.output if tensor}

    def exact(self, name: str) -> str:
        """The node of that name, or the one that makes the tensor of that name; "" for none."""
        return name if name in self.order else self.makers.get(name, "")

    def find(self, name: str) -> str:
        """As `exact`; else the node whose name the runtime has appended to: `conv_token_5`, `/fc/MatMul/AddFusion`."""
        while name and not self.exact(name):
            short = APPENDED.sub("", name)
            name = short if short != name else name.rpartition("/")[0]
        return self.exact(name) if name else ""

    def fused(self, ends: Mapping[str, Iterable[str]], open_: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
        """The ONNX nodes that are computed in each node of the runtime, in the graph's order.

        Args:
            ends: by node of the runtime, the ONNX nodes that it is known to compute, with the last of them.
            open_: nodes of the runtime of which the last is not known. An activation or addition that follows is
                computed in them: kernels take such work at their end, never at their beginning.
        """
        owner = {node: name for name, nodes in ends.items() for node in nodes}
        for node in self.order:
            before = {owner.get(maker, "") for maker in self._makers(node)} & {*open_}
            if node not in owner and self.operators[node] in EPILOGUE and before:
                owner[node] = max(before, key=lambda name: max(self.order[n] for n in ends[name]))
        found: dict[str, set[str]] = {name: set(nodes) for name, nodes in ends.items()}
        for node, name in owner.items():
            found[name].add(node)
            waiting = [node]
            while waiting:
                before = {maker for maker in self._makers(waiting.pop()) if maker not in owner} - found[name]
                found[name] |= before
                waiting += before
        return {name: tuple(sorted(nodes, key=self.order.__getitem__)) for name, nodes in found.items()}

    def _makers(self, node: str) -> list[str]:
        return [self.makers[tensor] for tensor in self.inputs[node] if tensor in self.makers]


def groups(nodes: Iterable[tuple[T, str]]) -> Iterator[tuple[list[T], str]]:
    """Each node that stands for an ONNX node, with the runtime's own before it, and the name of the ONNX node.

    Own ones at the end follow the last, with its name.
    """
    waiting: list[T] = []
    last = ""
    for node, name in nodes:
        waiting.append(node)
        if name:
            yield waiting, name
            waiting, last = [], name
    if waiting and last:
        yield waiting, last


def _name(node: Node) -> str:
    """Nameless ones are called after their output."""
    return node.name or node.output[0]
