"""Layers measured where they live: per-node times inside covering networks (MEASUREMENT, "Why in context").

    m  traced runs of one network      L  its layers
    nodes (m, N)   milliseconds of each node in each traced run
    t (L,)         a layer's milliseconds; they add up to the network's untraced time

In the first `PAIRED` covers traced and untraced runs of the same network are interleaved, so that both see the same
machine: they tell how much of a traced run's nodes is the untraced time. The next are timed traced only and brought to
that share, which halves the models to load; whole networks, always untraced, set the scale (`lut.estimate.reconcile`).
It is the nodes' sum and not the traced run that is compared: tracing happens between nodes, and costs more where
somebody else computes on the same core. (ONNX Runtime in such minutes, four covers: traced runs 17 to 25 % longer than
untraced ones, their nodes' sums 5 to 7 %.) Where tracing costs next to nothing, as in OpenVINO, one such cover is
enough; where it costs much of a run, as in networks of microseconds, all are timed both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

import numpy as np

from lut.build.bench import Bench, Load, Timed, network_time, require
from lut.build.records import NetworkTime, Unit
from lut.protocols import Floats, Layer
from lut.table.classifier import spread_classes
from profilers.base import Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.onnx.node_names import layer_of
from profilers.timing import plans

PAIRED = 3  # covers, by which it is known what share of a traced run's nodes the untraced time is
WITNESSES = 1  # sentinels beside a cover: what it has wrong as a whole is found by whole networks anyway
FREE = 0.03  # what tracing may add to a run, relative, where one of them is enough
DEAR = 0.3  # beyond this all covers are paired: what is taken off must be small against what is left
TRACED_RUNS = 4  # timed in a block, where small networks are run many times to be timed at all
_LEAST_SHARE = 0.5  # of a node's time that is left when the cost of tracing is taken from it


@dataclass(frozen=True)
class Attribution:
    """Layer times of one network and what could not be attributed.

    `plain_ms` is its untraced time, `plain` are the untraced runs, None where it is known by the traced ones only;
    `slowdown` is of the traced runs against it, relative; `nodes` the sum of the nodes over it.
    """

    ms: Floats
    fused: list[int]
    foreign: float
    plain_ms: float
    nodes: float
    slowdown: float = 0.0
    plain: Samples | None = None


class InContext:
    """Sessions of covering networks, traced and untraced, timed in the same rounds."""

    name = "in-context"
    traced = True

    def measure(
        self, bench: Bench, resolution: int, seed: int, plan: TimingPlan = plans.COVER, earlier: Sequence[Unit] = ()
    ) -> Unit:
        """One cover of one resolution; `earlier` ones tell what share of the nodes the untraced time is."""
        started, missing = monotonic(), [0.0] * (len(bench.sentinels) - WITNESSES)
        bench = replace(bench, sentinels=bench.sentinels[:WITNESSES])
        archs = bench.space.cover(resolution, np.random.default_rng(seed))
        classes = spread_classes(bench.space, len(archs), seed)
        layers = [bench.space.with_classes(n).layers(arch) for arch, n in zip(archs, classes, strict=True)]
        loads = _loads(bench, layers, paired=_pairs(earlier))
        with bench.loaded(loads, seed) as sessions:
            timed = bench.time(sessions, plan, seed)
            timed = replace(timed, sentinels=timed.sentinels + missing)
            require(timed, f"covering networks at {resolution} px")
            found = _attribute_all(layers, sessions, timed, _nodes(earlier))
        networks = [_network_time(archs[i], a, classes[i]) for i, a in found.items()]
        return _unit(f"{resolution} px", layers, found, networks, timed, monotonic() - started)


def _pairs(earlier: Sequence[Unit]) -> bool:
    """Whether the next cover is timed untraced too, because what tracing costs is not known well enough."""
    if not earlier:
        return True
    slowdown = min(u.slowdown for u in earlier)  # in the quietest minute: neighbours make tracing dearer
    return slowdown > DEAR or (slowdown > FREE and len(earlier) < PAIRED)


def _nodes(earlier: Sequence[Unit]) -> float:
    """The nodes of a traced run over the untraced time, by the covers that were timed both ways."""
    paired = [u.nodes for u in earlier if any(n.blocks for n in u.networks)]
    return float(np.mean(paired)) if paired else 1.0


def _loads(bench: Bench, layers: Sequence[Sequence[Layer]], *, paired: bool) -> dict[str, Load]:
    loads: dict[str, Load] = {}
    for i, network in enumerate(layers):
        if paired:
            loads[f"plain-{i}"] = partial(bench.session, network)
        loads[f"traced-{i}"] = partial(_traced, bench, network)
    return loads


def _traced(bench: Bench, network: Sequence[Layer]) -> Session:
    session = bench.session(network, traced=True)
    session.most_runs = TRACED_RUNS
    return session


def _network_time(arch: Any, found: Attribution, classes: int) -> NetworkTime:
    """Without blocks where it was not run untraced."""
    if found.plain:
        return network_time(arch, found.plain, classes)
    return NetworkTime(arch.to_json(), found.plain_ms, [], classes)


def attribute(
    layers: Sequence[Layer], runs: Sequence[Mapping[str, float]], plain_ms: float | None, share: float = 1.0,
    traced: Samples | None = None,
) -> Attribution:  # fmt: skip
    """Per-node times of traced runs to layer times that add up to the untraced `plain_ms` (None: the nodes / `share`).

    With the samples of the `traced` session, whose blocks were the last runs, the nodes' sum is that where the
    machine's level is 1; without, that of the nodes' times.
    A node's time is the mean of the lower half of its runs: contention only adds time, and a mean evens out a clock of
    whole microseconds. Tracing costs about the same at every node, so what the traced sum has more than the untraced
    time is taken from the nodes evenly; what it has less is added in proportion. A layer without a node was fused into
    its neighbour, and shares that one's time by multiply-adds.

    Raises:
        MeasurementFailed: no node carries a layer's name.
    """
    names = [n for n in dict.fromkeys(name for run in runs for name in run) if all(n in run for run in runs)]
    times = np.array([[run[name] for name in names] for run in runs])
    nodes = np.sort(times, axis=0)[: (len(times) + 1) // 2].mean(axis=0) if names else np.zeros(0)
    owner = np.array([_owner(name, len(layers)) for name in names], int)
    if not (owner >= 0).any():
        raise MeasurementFailed("no node of the runtime's trace carries a layer's name", remedy="--method isolated")
    if traced:
        nodes *= _nodes_ms(times.sum(axis=1), traced) / nodes.sum()
    sum_ms, foreign = float(nodes.sum()), float(nodes[owner < 0].sum())
    named, total = nodes[owner >= 0], sum_ms / share if plain_ms is None else plain_ms
    ms = np.bincount(owner[owner >= 0], _fit_to(named, total), minlength=len(layers)).astype(float)
    fused = np.setdiff1d(np.arange(len(layers)), owner).tolist()
    return Attribution(_share_fused(ms, layers, fused), fused, foreign / sum_ms, total, sum_ms / total)


def _nodes_ms(sums: Floats, traced: Samples) -> float:
    """The nodes' sum in timed runs, the drift divided out, from the sums of all runs (m,), warm-up first."""
    block = traced.untimed + traced.timed
    blocks = sums[-traced.rounds * block :].reshape(traced.rounds, block)[:, traced.untimed :]
    good = np.isfinite(traced.blocks)
    return float(np.median(blocks[good].mean(axis=1) / traced.drift[good]))


def _fit_to(nodes: Floats, total: float) -> Floats:
    """`nodes` brought to the sum `total`: an even amount less each, or all of them stretched."""
    low, high = 0.0, float(nodes.max())
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _less(nodes, middle).sum() > total else (low, middle)
    fitted = _less(nodes, high)
    scale = total / float(fitted.sum())
    return fitted * scale


def _less(nodes: Floats, amount: float) -> Floats:
    return np.maximum(nodes - amount, _LEAST_SHARE * nodes)


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
    layers: Sequence[Sequence[Layer]], sessions: Mapping[str, Session], timed: Timed, share: float
) -> dict[int, Attribution]:
    """By network, for those of which every session could be timed."""
    found = {}
    for i, network in enumerate(layers):
        plain, traced = timed.samples.get(f"plain-{i}"), timed.samples.get(f"traced-{i}")
        if traced and (plain or f"plain-{i}" not in sessions):
            runs = sessions[f"traced-{i}"].node_times()
            attribution = attribute(network, runs, plain.ms if plain else None, share, traced)
            slowdown = max(traced.ms / attribution.plain_ms - 1, 0.0)
            found[i] = replace(attribution, slowdown=slowdown, plain=plain)
    return found


def _unit(
    name: str,
    layers: Sequence[Sequence[Layer]],
    found: Mapping[int, Attribution],
    networks: list[NetworkTime],
    timed: Timed,
    seconds: float,
) -> Unit:
    observed: dict[str, list[float]] = {}
    for i, attribution in found.items():
        for layer, ms in zip(layers[i], attribution.ms.tolist(), strict=True):
            observed.setdefault(layer.key, []).append(ms)
    fused = sorted({layers[i][j].key for i, a in found.items() for j in a.fused})
    foreign = float(np.mean([a.foreign for a in found.values()]))
    slowdown, nodes = (float(np.median([getattr(a, k) for a in found.values()])) for k in ("slowdown", "nodes"))
    return Unit(
        name, observed, networks, timed.sentinels, seconds, timed.blocks, timed.rejected,
        failed=[f"{k}: {v}" for k, v in timed.failed.items()], fused=fused, foreign=foreign, slowdown=slowdown,
        nodes=nodes, load=timed.load, busy=timed.busy, shared=timed.shared,
    )  # fmt: skip
