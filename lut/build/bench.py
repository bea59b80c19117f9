"""Where a table is measured: a runtime, a space, a way to write models, and control models that all timing shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from lut.build.records import NetworkTime
from lut.protocols import Genes, Layer, Space, Writer
from profilers.base import Failure, Options, Profiler, Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.onnx.quantise import QuantConfig, insert_qdq
from profilers.progress import Progress
from profilers.timing import plans
from profilers.timing.core_groups import ONE_GROUP, Cores, core_groups, load_in_parallel
from profilers.timing.measurement import Measuring, measuring
from profilers.timing.pinning import allowed_cores

SENTINEL = "sentinel"
SENTINELS = 3  # one alone is as noisy as what it corrects
Load = Callable[[], Session]
T = TypeVar("T")
TOGETHER = 18  # networks timed against each other: enough to interleave, few enough for small memories


@dataclass(frozen=True)
class Timed:
    """Samples by name, the sentinels' milliseconds (0 if one failed), and what became of the blocks.

    `load` is other work in cores, `busy` the share of models that it left to be timed by CPU time only, `shared` the
    share of blocks at which other work was seen on the same core.
    """

    samples: dict[str, Samples]
    failed: dict[str, str]
    sentinels: list[float]
    blocks: int
    rejected: int
    load: float = 0.0
    busy: float = 0.0
    shared: float = 0.0


@dataclass(frozen=True)
class _Share:
    """Makes one call of the timing loop one step of the whole work."""

    whole: Progress
    sessions: int

    def advance(self, amount: float = 1) -> None:
        self.whole.advance(amount / self.sessions)

    def note(self, text: str) -> None:
        self.whole.note(text)

    def reduce_total(self, amount: float) -> None:
        self.whole.reduce_total(amount / self.sessions)


@dataclass(frozen=True)
class Bench:
    """Opened by `open_bench`; loads layers and times sessions."""

    space: Space
    to_onnx: Writer
    profiler: Profiler
    options: Options
    sentinels: tuple[bytes, ...]
    measuring: Measuring
    progress: Progress | None = None
    core_groups: tuple[Cores, ...] = ONE_GROUP

    def model(self, layers: Sequence[Layer]) -> bytes:
        """The ONNX model of some layers, at the options' batch; for int8 quantised, with made-up ranges."""
        return written(self.to_onnx, layers, self.profiler, self.options)

    def load(self, model: bytes, *, traced: bool = False) -> Session:
        """A session; close it."""
        return self.profiler.load(model, self.options, traced=traced)

    def session(self, layers: Sequence[Layer], *, traced: bool = False) -> Session:
        """The model of some layers written and loaded; close it."""
        return self.load(self.model(layers), traced=traced)

    @contextmanager
    def loaded(self, loads: Mapping[str, Load], seed: int) -> Iterator[dict[str, Session]]:
        """Sessions in the order of `loads`, then the sentinels; loaded in random order, the sentinels among the others.

        What is loaded early may lie elsewhere in memory than what is loaded late.
        """
        rng = np.random.default_rng([seed, len(loads)])
        fixed: dict[str, Load] = {f"{SENTINEL}-{i}": partial(self.load, m) for i, m in enumerate(self.sentinels)}
        every = {**loads, **fixed}
        with ExitStack() as stack:
            order = spread(*(rng.permutation(list(some)).tolist() for some in (loads, fixed) if some))
            opened = load_in_parallel({name: every[name] for name in order}, self.core_groups)
            for session in opened.values():
                stack.enter_context(session)
            yield {name: opened[name] for name in every}

    def time(self, sessions: Mapping[str, Session], plan: TimingPlan, seed: int) -> Timed:
        """Time what is `loaded` in interleaved rounds, the sentinels among the others."""
        fixed = [f"{SENTINEL}-{i}" for i in range(len(self.sentinels))]
        share = None if self.progress is None else _Share(self.progress, len(sessions))
        results = self.measuring.time(sessions, replace(plan, seed=seed), progress=share)
        samples = {k: v for k, v in results.items() if isinstance(v, Samples)}
        failed = {k: v.reason for k, v in results.items() if isinstance(v, Failure)}
        busy = float(np.mean([s.clock == "cpu" for s in samples.values()])) if samples else 0.0
        shared = max((s.contended_fraction for s in samples.values()), default=0.0)  # the same for all of a call
        sentinels = [samples.pop(name).ms if name in samples else 0.0 for name in fixed]
        blocks, rejected = sum(s.rounds for s in samples.values()), sum(s.rejected for s in samples.values())
        return Timed(samples, failed, sentinels, blocks, rejected, self.measuring.background_load[-1], busy, shared)

    def networks(self, genes: Genes, plan: TimingPlan, seed: int, classes: Sequence[int] | None = None) -> Timed:
        """Measure whole networks against each other; samples are named by row of `genes`.

        `classes` are those of each network; by default the space's. The sentinels always have the space's.
        """
        archs = zip(self.space.decode(genes), classes or [self.space.classes] * len(genes), strict=True)
        layers = [self.space.with_classes(n).layers(arch) for arch, n in archs]
        loads = {str(i): partial(self.session, network) for i, network in enumerate(layers)}
        with self.loaded(loads, seed) as sessions:
            return self.time(sessions, plan, seed)


def spread(*kinds: Sequence[T], at: float = 0.5) -> list[T]:
    """All of them, each kind evenly over the whole, in its order; `at` 1 has the last of each at the end."""
    places = [((i + at) / len(kind), item) for kind in kinds for i, item in enumerate(kind)]
    return [item for _, item in sorted(places, key=lambda place: place[0])]


@contextmanager
def open_bench(
    space: Space, to_onnx: Writer, profiler: Profiler, options: Options, progress: Progress | None = None
) -> Iterator[Bench]:
    """Pin the threads and choose the sentinels: fixed networks by which everything timed here is comparable.

    Raises:
        EngineUnavailable: the runtime does not work here.
        BadInput: options that it does not have.
    """
    profiler.require(options)
    models = tuple(written(to_onnx, space.layers(arch), profiler, options) for arch in sentinel_archs(space))
    beside = core_groups(allowed_cores(), options.threads) if profiler.supports_parallel_load else ONE_GROUP
    with measuring(options) as measurement:
        bench = Bench(space, to_onnx, profiler, options, models, measurement, progress, beside)
        _learn(bench)
        yield bench


def _learn(bench: Bench) -> None:
    """How long models take to settle, from the sentinels and the smallest networks, which take longest."""
    small = bench.space.layers(bench.space.extremes()[0])
    loads = {f"small-{i}": partial(bench.session, small) for i in range(SENTINELS)}
    with bench.loaded(loads, 0) as sessions:
        bench.measuring.learn(sessions, plans.NETWORKS)


def sentinel_archs(space: Space) -> list[Any]:
    """Random networks, always the same: the smallest network is twice as sensitive to contention for the caches."""
    return list(space.decode(space.sample(SENTINELS, np.random.default_rng(0))))


def written(to_onnx: Writer, layers: Sequence[Layer], profiler: Profiler, options: Options) -> bytes:
    """The model that a runtime is given at these options.

    Quantised models have made-up ranges: integer kernels take the same time whatever the scales are.
    """
    model = to_onnx(layers, batch=options.batch)
    if options.precision != "int8":
        return model
    return insert_qdq(
        model, config=QuantConfig(symmetric=True) if profiler.device == "cuda" else QuantConfig.for_this_cpu()
    )


def network_time(arch: Any, samples: Samples, classes: int | None = None) -> NetworkTime:
    """Samples of one network as they are stored, raw blocks included."""
    blocks = [None if np.isnan(b) else round(float(b), 6) for b in samples.blocks / samples.drift]
    return NetworkTime(arch.to_json(), samples.ms, blocks, classes)


def require(timed: Timed, what: str) -> None:
    """Raises MeasurementFailed unless at least half of the sessions could be timed; names the first reason."""
    if timed.failed and len(timed.samples) <= len(timed.failed):
        name, reason = next(iter(timed.failed.items()))
        raise MeasurementFailed(f"{what}: {len(timed.failed)} models could not be timed ({name}: {reason})")
