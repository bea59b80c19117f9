"""Per-node times of a runtime to layers of the model, which add up to what a run takes untraced.

A layer is what the runtime executes as one node: a convolution with the activation that was fused into it. It is named
after the ONNX node that does the work. Where the nodes' traced times add up to more than the untraced whole, tracing
has made them longer, and an even amount is taken from each (docs/measurement.md); what they have less is the time
between nodes, and stays unattributed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwnas.profile.facts import Layer, Layers
from profilers.base import NodeDetail, Samples
from profilers.errors import MeasurementFailed
from profilers.onnx.madds import PRODUCTS
from profilers.timing.node_times import fit_to, typical

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
    times = typical(runs, traced if traced.clock == "wall" else None)  # the nodes' clock is the wall's
    if not times:
        raise MeasurementFailed("the trace has no time of any node")
    nodes, names = np.array(list(times.values())), list(times)
    sum_ms = float(nodes.sum())
    fitted = fit_to(nodes, beside_ms) if sum_ms > beside_ms else nodes
    shares = dict(zip(names, (fitted / beside_ms).tolist(), strict=True))
    members = {name: _members(name, details.get(name), operators) for name in names}
    layers = [
        _layer(members[name], details.get(name, NodeDetail("")), operators, share, whole_ms)
        for name, share in shares.items()
        if members[name]
    ]
    left = max(1.0 - sum(layer.share for layer in layers), 0.0)
    timed = len({node for nodes in members.values() for node in nodes})
    slowdown, ratio = traced.ms / beside_ms - 1, sum_ms / beside_ms
    return Layers(tuple(layers), left * whole_ms, left, slowdown, ratio, len(operators), timed)


def _members(name: str, detail: NodeDetail | None, operators: Operators) -> tuple[str, ...]:
    """The ONNX nodes behind a name of the trace."""
    known = tuple(node for node in (detail.nodes if detail else ()) if node in operators)
    return known or ((name,) if name in operators else ())


def _layer(members: Sequence[str], detail: NodeDetail, operators: Operators, share: float, whole_ms: float) -> Layer:
    main = next((node for node in members if operators[node] in PRODUCTS), members[-1])
    others = tuple(node for node in members if node != main)
    ops = tuple(operators[node] for node in others)
    return Layer(main, operators[main], share * whole_ms, share, others, ops, detail.op, detail.own)
