"""ONNX Runtime's profile: milliseconds by ONNX node.

Durations are whole microseconds. Each is the truncated difference of two clock readings, so half a microsecond, the
mean loss, is added to each node. Differences of start times would be worse: they include the 3-4 microseconds that
recording each event takes.

A node of the runtime is the ONNX node of its name, or of its output's (`L00_act_nchwc`); a fused one that has a new
name is the node whose output it gives in the optimised graph, which is saved to look it up. All others, such as layout
changes, are the runtime's own, and their time is added to the next one's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from profilers import temporary
from profilers.base import NodeDetail
from profilers.errors import BadInput, HwnasError
from profilers.onnx.fusion import NodeNames, groups
from profilers.onnx.nodes import Node, read_nodes

# What ONNX Runtime adds to the graph: layout nodes, and the parts of a HardSwish that is not fused (int8)
LAYOUT_OPS = ("ReorderInput", "ReorderOutput", "Transpose", "MemcpyToHost", "MemcpyFromHost")
INLINED = re.compile(r"(HardSigmoid|Mul)_\d+")
TRUNCATED_MS = 0.0005
_NODE, _END = "_kernel_time", "SequentialExecutor::Execute"  # the latter is recorded after its nodes


class Trace:
    """The names of one model's nodes in its profiles.

    Args:
        model: ONNX; read when it is needed, and of another format names are taken as they are.
        save: writes the optimised graph to a file; called when it is needed. What it raises means that there is none.
    """

    def __init__(self, model: bytes | Path, save: Callable[[Path], None]) -> None:
        self.model, self.save = model, save

    @cached_property
    def graph(self) -> NodeNames | None:
        """The ONNX graph; None where the model is in another format."""
        try:
            nodes = read_nodes(self.model).node
        except BadInput:
            return None
        return NodeNames(nodes) if nodes else None

    @cached_property
    def optimised(self) -> tuple[Node, ...]:
        """The nodes that ONNX Runtime executes; none where it cannot save them."""
        with temporary.scratch("graph") as folder:
            try:
                self.save(Path(folder) / "optimised.onnx")
                return read_nodes(Path(folder) / "optimised.onnx").node
            except HwnasError:
                return ()

    @cached_property
    def ends(self) -> dict[str, list[str]]:
        """Runtime node -> the ONNX nodes whose outputs it gives, itself or through a layout node behind it."""
        if self.graph is None:
            return {}
        makers, changed = self.graph.makers, {}
        for node in self.optimised:
            if node.op_type in LAYOUT_OPS and node.output[0] in makers:
                changed[node.input[0]] = node.output[0]
        given = {node.name: [changed.get(tensor, tensor) for tensor in node.output] for node in self.optimised}
        return {name: [makers[t] for t in tensors if t in makers] for name, tensors in given.items()}

    def node(self, name: str, op: str) -> str:
        """The ONNX node that a node of the runtime stands for; "" for one of the runtime's own."""
        short = name.removesuffix("_nchwc")
        if self.graph is not None and (found := self.graph.exact(short)):
            return found
        if op in LAYOUT_OPS or INLINED.fullmatch(short):
            return ""
        if self.graph is None:
            return short
        return self.graph.find(short) or next(iter(self.ends.get(name, ())), "")

    def details(self) -> dict[str, NodeDetail]:
        """By ONNX node as in `parse_trace`; {} where the graph is not known."""
        if self.graph is None:
            return {}
        stands_for: dict[str, list[str]] = {}
        operators: dict[str, list[str]] = {}
        own: dict[str, list[str]] = {}
        for group, node in groups((n, self.node(n.name, n.op_type)) for n in self.optimised):
            operators.setdefault(node, []).append(group[-1].op_type)
            own.setdefault(node, []).extend(n.op_type for n in group[:-1])
            stands_for.setdefault(node, [node]).extend(self.ends.get(group[-1].name, ()))
        open_ = {node for node, ends in stands_for.items() if len(ends) == 1}
        fused = self.graph.fused(stands_for, open_)
        return {
            node: NodeDetail(" + ".join(dict.fromkeys(ops)), fused[node], tuple(own[node]))
            for node, ops in operators.items()
        }


def parse_trace(events: Iterable[dict[str, Any]], trace: Trace | None = None) -> list[dict[str, float]]:
    """Milliseconds by node name for each run in a profile; without `trace`, names are taken as they are."""
    trace = trace or Trace(b"", lambda path: None)
    runs: list[dict[str, float]] = []
    nodes: list[tuple[float, str]] = []
    for event in outer(events):
        if event["cat"] == "Node":
            name = trace.node(event["name"].removesuffix(_NODE), event["args"].get("op_name", ""))
            nodes.append((event["dur"] / 1e3 + TRUNCATED_MS, name))
        else:
            runs.append({})
            for times, name in groups(nodes):
                runs[-1][name] = runs[-1].get(name, 0.0) + sum(times)
            nodes = []
    return runs


def outer(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events of nodes and ends of runs, in order; without those inside another node (an If, a Loop)."""
    waiting: list[dict[str, Any]] = []
    for event in events:
        node = event["cat"] == "Node" and event["name"].endswith(_NODE)
        if not node and event["name"] != _END:
            continue
        if node and waiting and waiting[-1]["name"] == _END:  # of an earlier run, or of a graph inside this node
            while waiting and waiting[-1]["ts"] >= event["ts"]:
                waiting.pop()
        waiting.append(event)
    yield from waiting
