"""Per-node times of a runtime to layers of the model, which add up to what a run takes untraced.

A layer is what the runtime executes as one node: a convolution with the activation that was fused into it. It is named
after the ONNX node that does the work. Where the nodes' traced times add up to more than the untraced whole, tracing
has made them longer, and an even amount is taken from each (docs/measurement.md); what they have less is the time
between nodes, and stays unattributed. Where the machine is so busy that a run is timed by its CPU time, the nodes' wall
times contain other work, and are shortened in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwnas.profile.facts import Layer, Layers
from profilers.base import NodeDetail, Samples
from profilers.errors import MeasurementFailed
from profilers.onnx.madds import PRODUCTS
from profilers.timing.node_times import fit_to, typical

CONSTANT = "Constant"
Operators = Mapping[str, str]
"""By ONNX node, in the order of the graph, its operator."""


def attribute(
    operators: Operators,
    runs: Sequence[Mapping[str, float]],
    details: Mapping[str, NodeDetail],
    traced: Samples,
    beside_ms: float,
    whole_ms: float,
) -> Layers:
    """Layers of one model.

    Args:
        operators: of the model's nodes.
        runs: milliseconds by node of each run of the traced session.
        details: what stands behind these names.
        traced: samples of the traced session, whose blocks were the last runs.
        beside_ms: of an untraced run in the same rounds.
        whole_ms: of an untraced run, the profile's own: times are brought to it.

    Raises:
        MeasurementFailed: no node has a time.
    """
    by_wall = traced.clock == "wall"  # as the nodes are timed
    times = typical(runs, traced if by_wall else None)
    if not times:
        raise MeasurementFailed("the trace has no time of any node")
    nodes, names = np.array(list(times.values())), list(times)
    sum_ms = float(nodes.sum())
    fitted = nodes if sum_ms <= beside_ms else fit_to(nodes, beside_ms) if by_wall else nodes * (beside_ms / sum_ms)
    shares = dict(zip(names, (fitted / beside_ms).tolist(), strict=True))
    members = {name: _members(name, details.get(name), operators) for name in names}
    layers = [
        _layer(name, members[name], details.get(name, NodeDetail("")), operators, share, whole_ms)
        for name, share in shares.items()
        if members[name]
    ]
    left = max(1.0 - sum(layer.share for layer in layers), 0.0)
    return Layers(
        tuple(layers),
        unattributed_ms=left * whole_ms,
        unattributed_share=left,
        tracing_slowdown=traced.ms / beside_ms - 1,
        sum_over_whole=sum_ms / beside_ms,
        by_wall=by_wall,
        nodes=sum(op != CONSTANT for op in operators.values()),
        timed=len({node for nodes in members.values() for node in nodes}),
    )


def _members(name: str, detail: NodeDetail | None, operators: Operators) -> tuple[str, ...]:
    """The ONNX nodes behind a name of the trace, without constants."""
    known = (node for node in (detail.nodes if detail else ()) if operators.get(node, CONSTANT) != CONSTANT)
    return tuple(known) or ((name,) if name in operators else ())


def _layer(
    name: str, members: Sequence[str], detail: NodeDetail, operators: Operators, share: float, whole_ms: float
) -> Layer:
    """Named after the node that the runtime names it by if that multiplies, else after the first that does."""
    products = [node for node in members if operators[node] in PRODUCTS]
    usual = name if name in members else members[-1]
    main = usual if usual in products or not products else products[0]
    others = tuple(node for node in members if node != main)
    ops = tuple(operators[node] for node in others)
    return Layer(main, operators[main], share * whole_ms, share, others, ops, detail.op, detail.own)
