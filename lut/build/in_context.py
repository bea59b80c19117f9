"""Layers measured where they are used: per-node times inside covering networks (docs/measurement.md).

    cover  networks of one resolution that together contain every layer of it; each of them is a covering network
    m  traced runs of one network      L  its layers
    nodes (m, N)   milliseconds of each node in each traced run
    t (L,)         a layer's milliseconds; they add up to the network's untraced time

In the first `PAIRED` covers traced and untraced runs of the same network are interleaved, so that both see the same
machine: they tell how much of a traced run's nodes is the untraced time. The next are timed traced only and brought to
that share, which halves the models to load; networks measured end to end, always untraced, set the scale
(`lut.estimate.reconcile`). The nodes' sum is compared and not the traced run, because tracing happens between nodes and
costs more under contention. Where tracing costs next to nothing, one paired cover is enough; where it costs much of a
run, as in networks of microseconds, all are timed both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import numpy as np

from lut.build.bench import Bench, Network
from lut.build.records import MeasuredNetwork, MeasurementBatch, batch_of
from lut.protocols import Floats, Layer
from lut.table.classifier import spread_classes
from profilers.base import Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.onnx.node_names import layer_of
from profilers.timing import plans
from profilers.timing.measurement import Load, MeasuredGroup, Measurement
from profilers.timing.node_times import fit_to, typical

PAIRED = 3  # covers, by which it is known what share of a traced run's nodes the untraced time is
CONTROLS_BESIDE = 1  # beside a cover: what it has wrong as a whole is found by networks end to end anyway
NEGLIGIBLE_OVERHEAD = 0.03  # of tracing, relative to a run: one paired cover is enough
HIGH_OVERHEAD = 0.3  # beyond this all covers are paired: what is taken off must be small against what is left
TRACED_RUNS = 4  # timed in a block, where small networks are run many times to be timed at all


@dataclass(frozen=True)
class Attribution:
    """Layer times of one network, and what could not be attributed.

    `plain_ms` is its untraced time, `plain` the measurement of untraced runs, None where it is known by the traced ones
    only; `slowdown` is of the traced runs against it, relative; `nodes` the sum of the nodes over it.
    """

    ms: Floats
    fused: list[int]
    unattributed_fraction: float
    plain_ms: float
    nodes: float
    slowdown: float = 0.0
    plain: Measurement | None = None


class InContext:
    """Sessions of covering networks, traced and untraced, timed in the same rounds."""

    name = "in-context"
    traced = True

    def measure(
        self,
        bench: Bench,
        resolution: int,
        seed: int,
        plan: TimingPlan = plans.COVER,
        earlier: Sequence[MeasurementBatch] = (),
    ) -> MeasurementBatch:
        """One cover of one resolution; `earlier` ones tell what share of the nodes the untraced time is."""
        started = monotonic()
        archs = bench.space.cover(resolution, np.random.default_rng(seed))
        classes = spread_classes(bench.space, len(archs), seed)
        networks = {n.id: n for n in map(Network, archs, classes)}
        layers = {name: network.layers(bench.space) for name, network in networks.items()}
        loads = _loads(bench, layers, paired=_pairs(earlier))
        limits = {_traced(name): TRACED_RUNS for name in networks}
        with bench.loaded(loads, seed, controls=CONTROLS_BESIDE) as sessions:
            group = bench.time(sessions, plan, seed, limits)
            group.require(f"covering networks at {resolution} px")
            found = _attribute_all(layers, sessions, group, _nodes(earlier))
        stored = [MeasuredNetwork.of(networks[name], _measurement(name, a, group)) for name, a in found.items()]
        return _batch(batch_of(f"{resolution} px", group, stored, monotonic() - started), layers, found)


def _pairs(earlier: Sequence[MeasurementBatch]) -> bool:
    """Whether the next cover is timed untraced too, because what tracing costs is not known well enough."""
    if not earlier:
        return True
    slowdown = min(b.slowdown for b in earlier)  # of the least contended: contention makes tracing dearer
    return slowdown > HIGH_OVERHEAD or (slowdown > NEGLIGIBLE_OVERHEAD and len(earlier) < PAIRED)


def _nodes(earlier: Sequence[MeasurementBatch]) -> float:
    """The nodes of a traced run over the untraced time, by the covers that were timed both ways."""
    paired = [b.nodes for b in earlier if any(n.measurement.blocks for n in b.networks)]
    return float(np.mean(paired)) if paired else 1.0


def _loads(bench: Bench, layers: Mapping[str, Sequence[Layer]], *, paired: bool) -> dict[str, Load]:
    loads: dict[str, Load] = {}
    for name, network in layers.items():
        if paired:
            loads[name] = partial(bench.session, network)
        loads[_traced(name)] = partial(bench.session, network, traced=True)
    return loads


def _traced(name: str) -> str:
    return f"{name} traced"


def _measurement(name: str, found: Attribution, group: MeasuredGroup) -> Measurement:
    """Without blocks and interval where it was not run untraced."""
    if found.plain:
        return found.plain
    ms = found.plain_ms
    return replace(group.measured[_traced(name)], id=name, ms=ms, low=ms, high=ms, blocks=(), samples=None)


def attribute(
    layers: Sequence[Layer], runs: Sequence[Mapping[str, float]], plain_ms: float | None, share: float = 1.0,
    traced: Samples | None = None,
) -> Attribution:  # fmt: skip
    """Per-node times of traced runs to layer times that add up to the untraced `plain_ms` (None: the nodes / `share`).

    Nodes' times are `typical` ones, with the samples of the `traced` session, brought to the untraced time by `fit_to`.
    A layer without a node was fused into its neighbour, and shares that one's time by multiply-adds.

    Raises:
        MeasurementFailed: no node carries a layer's name.
    """
    found = typical(runs, traced)
    names, nodes = list(found), np.array(list(found.values()))
    owner = np.array([_owner(name, len(layers)) for name in names], int)
    if not (owner >= 0).any():
        raise MeasurementFailed("no node of the runtime's trace carries a layer's name", remedy="--method isolated")
    sum_ms, unattributed = float(nodes.sum()), float(nodes[owner < 0].sum())
    named, total = nodes[owner >= 0], sum_ms / share if plain_ms is None else plain_ms
    ms = np.bincount(owner[owner >= 0], fit_to(named, total), minlength=len(layers)).astype(float)
    fused = np.setdiff1d(np.arange(len(layers)), owner).tolist()
    return Attribution(_share_fused(ms, layers, fused), fused, unattributed / sum_ms, total, sum_ms / total)


def _share_fused(ms: Floats, layers: Sequence[Layer], fused: Sequence[int]) -> Floats:
    """Give layers that have no node their share of the layer before them (of the one behind, at the start)."""
    ms, lost = ms.copy(), set(fused)
    hosts = [i for i in range(len(layers)) if i not in lost]
    groups: dict[int, list[int]] = {}
    for i in fused:
        groups.setdefault(max((h for h in hosts if h < i), default=hosts[0]), []).append(i)
    for host, members in groups.items():
        together = [host, *members]
        weight = np.array([1.0 + layers[i].madds for i in together])
        ms[together] = ms[host] * weight / weight.sum()
    return ms


def _owner(name: str, layers: int) -> int:
    index = layer_of(name)
    return index if index is not None and index < layers else -1


def _attribute_all(
    layers: Mapping[str, Sequence[Layer]], sessions: Mapping[str, Session], group: MeasuredGroup, share: float
) -> dict[str, Attribution]:
    """By network, for those of which every session could be timed."""
    found = {}
    for name, network in layers.items():
        plain, traced = group.measured.get(name), group.measured.get(_traced(name))
        if traced and (plain or name not in sessions):
            runs = sessions[_traced(name)].node_times()
            attribution = attribute(network, runs, plain.ms if plain else None, share, traced.samples)
            slowdown = max(traced.ms / attribution.plain_ms - 1, 0.0)
            found[name] = replace(attribution, slowdown=slowdown, plain=plain)
    return found


def _batch(
    batch: MeasurementBatch, layers: Mapping[str, Sequence[Layer]], found: Mapping[str, Attribution]
) -> MeasurementBatch:
    """With what was observed of the layers."""
    observed: dict[str, list[float]] = {}
    for name, attribution in found.items():
        for layer, ms in zip(layers[name], attribution.ms.tolist(), strict=True):
            observed.setdefault(layer.key, []).append(ms)
    return replace(
        batch,
        layers=observed,
        fused=sorted({layers[name][j].key for name, a in found.items() for j in a.fused}),
        unattributed_fraction=float(np.mean([a.unattributed_fraction for a in found.values()])),
        slowdown=float(np.median([a.slowdown for a in found.values()])),
        nodes=float(np.median([a.nodes for a in found.values()])),
    )
