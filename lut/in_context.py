"""Layers measured where they live: per-node times inside covering networks (MEASUREMENT, "Why in context").

    m  traced runs of one network      L  its layers
    nodes (m, N)   milliseconds of each node in each traced run
    t (L,)         a layer's milliseconds; they add up to the network's untraced time

In the first `PAIRED` covers traced and untraced runs of the same network are interleaved, so that both see the same
machine: they tell what tracing costs, which is the same for all covering networks, since all have as many layers. The
next are timed traced only and that is taken off, which halves the models to load; whole networks, always untraced, set
the scale (`lut.refine`). Where tracing costs much of a run, as in networks of microseconds, all are timed both ways.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import numpy as np

from lut.bench import Bench, Load, Timed, network_time, require
from lut.observe import NetworkTime, Unit
from lut.protocols import Floats, Layer
from profilers.base import Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed

# At most 15 rounds: in a minute that does not settle, more of them cost groups of whole networks, which say more.
PLAN = TimingPlan(min_rounds=5, max_rounds=15, relative_interval=0.05, warmup_runs=2)
PAIRED = 3  # covers, by which what tracing costs is known
FREE = 0.02  # what tracing may add to a run, relative, where one of them is enough
DEAR = 0.3  # beyond this all covers are paired: what is taken off must be small against what is left
TRACED_RUNS = 4  # a block, where small networks are run many times to be timed at all
_LAYER = re.compile(r"L(\d+)_")
_LEAST_SHARE = 0.5  # of a node's or a run's time that is left when the cost of tracing is taken from it


@dataclass(frozen=True)
class Attribution:
    """Layer times of one network and what could not be attributed.

    `plain` are its untraced runs, `slowdown` is of the traced ones against them, relative.
    """

    ms: Floats
    fused: list[int]
    foreign: float
    slowdown: float = 0.0
    plain: Samples | None = None


class InContext:
    """Sessions of covering networks, traced and untraced, timed in the same rounds."""

    name = "in-context"
    traced = True

    def measure(
        self, bench: Bench, resolution: int, seed: int, plan: TimingPlan = PLAN, earlier: Sequence[Unit] = ()
    ) -> Unit:
        """One cover of one resolution; `earlier` ones tell what tracing costs."""
        started = monotonic()
        archs = bench.space.cover(resolution, np.random.default_rng(seed))
        layers = [bench.space.layers(arch) for arch in archs]
        loads = _loads(bench, layers, paired=_pairs(earlier))
        with bench.loaded(loads, seed) as sessions:
            timed = bench.time(sessions, plan, seed)
            require(timed, f"covering networks at {resolution} px")
            found = _attribute_all(layers, sessions, timed, _tracing_ms(earlier))
        networks = [network_time(archs[i], a.plain) for i, a in found.items() if a.plain]
        return _unit(f"{resolution} px", layers, found, networks, timed, monotonic() - started)


def _pairs(earlier: Sequence[Unit]) -> bool:
    """Whether the next cover is timed untraced too, because what tracing costs is not known well enough."""
    if not earlier:
        return True
    slowdown = float(np.mean([u.slowdown for u in earlier]))
    return slowdown > DEAR or (slowdown > FREE and len(earlier) < PAIRED)


def _tracing_ms(earlier: Sequence[Unit]) -> float:
    """What tracing adds to a run of a covering network, milliseconds."""
    return float(np.mean([u.slowdown * np.median([n.ms for n in u.networks]) for u in earlier])) if earlier else 0.0


def _loads(bench: Bench, layers: Sequence[Sequence[Layer]], *, paired: bool) -> dict[str, Load]:
    loads: dict[str, Load] = {}
    for i, network in enumerate(layers):
        model = bench.model(network)
        if paired:
            loads[f"plain-{i}"] = partial(bench.load, model)
        loads[f"traced-{i}"] = partial(_traced, bench, model)
    return loads


def _traced(bench: Bench, model: bytes) -> Session:
    session = bench.load(model, traced=True)
    session.most_runs = TRACED_RUNS
    return session


def _plain(i: int, sessions: Mapping[str, Session], timed: Timed, tracing_ms: float) -> Samples | None:
    """A network's untraced runs; where there are none, the traced ones without what tracing costs."""
    if f"plain-{i}" in sessions:
        return timed.samples.get(f"plain-{i}")
    traced = timed.samples.get(f"traced-{i}")
    if traced is None:
        return None
    left = max(1 - tracing_ms / traced.ms, _LEAST_SHARE)
    return replace(traced, ms=traced.ms * left, blocks=traced.blocks * left)


def attribute(layers: Sequence[Layer], runs: Sequence[Mapping[str, float]], plain_ms: float) -> Attribution:
    """Per-node times of traced runs to layer times that add up to the untraced `plain_ms`.

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
    traced, foreign = float(nodes.sum()), float(nodes[owner < 0].sum())
    named = nodes[owner >= 0]
    ms = np.bincount(owner[owner >= 0], _fit_to(named, plain_ms), minlength=len(layers)).astype(float)
    fused = np.setdiff1d(np.arange(len(layers)), owner).tolist()
    return Attribution(_share_fused(ms, layers, fused), fused, foreign / traced)


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
    match = _LAYER.match(name)
    index = int(match.group(1)) if match else -1
    return index if index < layers else -1


def _attribute_all(
    layers: Sequence[Sequence[Layer]], sessions: Mapping[str, Session], timed: Timed, tracing_ms: float
) -> dict[int, Attribution]:
    """By network, for those of which every session could be timed."""
    found = {}
    for i, network in enumerate(layers):
        plain, traced = _plain(i, sessions, timed, tracing_ms), timed.samples.get(f"traced-{i}")
        if plain and traced:
            attribution = attribute(network, sessions[f"traced-{i}"].node_times(), plain.ms)
            found[i] = replace(attribution, slowdown=max(traced.ms / plain.ms - 1, 0.0), plain=plain)
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
    slowdown = float(np.median([a.slowdown for a in found.values()]))
    return Unit(
        name, observed, networks, timed.sentinels, seconds, timed.blocks, timed.rejected,
        failed=[f"{k}: {v}" for k, v in timed.failed.items()], fused=fused, foreign=foreign, slowdown=slowdown,
        load=timed.load, busy=timed.busy,
    )  # fmt: skip
