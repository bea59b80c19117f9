"""Where measuring happens: a runtime, a space, a way to write models, and a sentinel that all timing shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from lut.observe import NetworkTime
from lut.protocols import Genes, Layer, Space, Writer
from profilers.base import Failure, Options, Profiler, Samples, Session, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.lanes import ONE_LANE, Cores, lanes, load_all
from profilers.load import OtherWork
from profilers.memory import contiguous_memory
from profilers.pin import allowed_cores, pin
from profilers.progress import Progress
from profilers.quantise import Scheme, insert
from profilers.timing import time_sessions

SENTINEL = "sentinel"
SENTINELS = 3  # one alone is as noisy as what it corrects
BLOCK_MS = 0.5  # what a block of the sentinel lasts at least, in milliseconds
MOST_RUNS = 20  # a block, however small the networks
Load = Callable[[], Session]
T = TypeVar("T")
# Where the machine's level is divided out, what is left errs to both sides, and a low quantile, which is right for a
# session that stands alone, is only noisier. Eight calls with the same 18 MobileNetV3s loaded, 30 rounds, neighbours at
# a fifth to four fifths of the blocks of a Xeon: estimates of the same model .64 % (ONNX Runtime) and .82 % (OpenVINO
# bf16) apart, standard deviation, by the median, and .96 and .98 % by the lower quartile.
MEDIAN = 0.5
NETWORKS = TimingPlan(min_rounds=8, max_rounds=15, relative_interval=0.03, warmup_runs=2, patience=0.25)
TOGETHER = 18  # networks timed against each other: enough to interleave, few enough for small memories


@dataclass(frozen=True)
class Timed:
    """Samples by name, the sentinels' milliseconds (0 if one failed), and what became of the blocks.

    `load` is other work in cores, `busy` the share of models that it left to be timed by CPU time only, `shared` the
    share of blocks at which somebody else computed on the same core.
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

    def spare(self, amount: float) -> None:
        self.whole.spare(amount / self.sessions)


@dataclass(frozen=True)
class Bench:
    """Opened by `open_bench`; loads layers and times sessions with one estimator."""

    space: Space
    to_onnx: Writer
    profiler: Profiler
    options: Options
    sentinels: tuple[bytes, ...]
    runs_per_block: int = 1
    progress: Progress | None = None
    lanes: tuple[Cores, ...] = ONE_LANE

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

        What is loaded early lies elsewhere in memory than what is loaded late; where `contiguous_memory` cannot help,
        it is slower for it. Sentinels that are always loaded last do not feel the same as the networks beside them:
        five tables of `mbv3` were 0.1 to 1.3 % too slow in other processes.
        """
        rng = np.random.default_rng([seed, len(loads)])
        fixed: dict[str, Load] = {f"{SENTINEL}-{i}": partial(self.load, m) for i, m in enumerate(self.sentinels)}
        every = {**loads, **fixed}
        with contiguous_memory(self.profiler.placed), ExitStack() as stack:
            order = spread(*(rng.permutation(list(some)).tolist() for some in (loads, fixed) if some))
            opened = load_all({name: every[name] for name in order}, self.lanes)
            for session in opened.values():
                stack.enter_context(session)
            yield {name: opened[name] for name in every}

    def time(self, sessions: Mapping[str, Session], plan: TimingPlan, seed: int) -> Timed:
        """Time what is `loaded` in interleaved rounds, the first sentinel at the start of each round besides.

        Estimates are the `MEDIAN`, whatever the plan's quantile: the sentinel shows the drift.
        """
        fixed = [f"{SENTINEL}-{i}" for i in range(len(self.sentinels))]
        share = None if self.progress is None else _Share(self.progress, len(sessions))
        plan = replace(plan, seed=seed, runs_per_block=self.timed_runs(plan), quantile=MEDIAN)
        others = OtherWork()
        results = time_sessions(sessions, plan, sentinel=sessions[fixed[0]], progress=share)
        load = others.cores()
        samples = {k: v for k, v in results.items() if isinstance(v, Samples)}
        failed = {k: v.reason for k, v in results.items() if isinstance(v, Failure)}
        busy = float(np.mean([s.clock == "cpu" for s in samples.values()])) if samples else 0.0
        shared = max((s.shared for s in samples.values()), default=0.0)  # the same for all of a call
        sentinels = [samples.pop(name).ms if name in samples else 0.0 for name in fixed]
        blocks, rejected = sum(s.rounds for s in samples.values()), sum(s.rejected for s in samples.values())
        return Timed(samples, failed, sentinels, blocks, rejected, load, busy, shared)

    def timed_runs(self, plan: TimingPlan) -> int:
        """Of each block; a session's own `most_runs` may allow fewer."""
        return max(plan.runs_per_block, self.runs_per_block) if plan.untimed_runs else plan.runs_per_block

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
def one_blas_thread() -> Iterator[None]:
    """Threads of small matrices cost more than they give, on a busy machine ten times as much as all measuring."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@contextmanager
def open_bench(
    space: Space, to_onnx: Writer, profiler: Profiler, options: Options, progress: Progress | None = None
) -> Iterator[Bench]:
    """Pin the threads and choose the sentinels: fixed networks by which everything timed here is comparable.

    Raises:
        EngineUnavailable: the runtime does not work here.
        BadInput: options that it does not have.
    """
    models = tuple(written(to_onnx, space.layers(arch), profiler, options) for arch in sentinel_archs(space))
    beside = lanes(allowed_cores(), options.threads) if profiler.loads_beside else ONE_LANE
    with pin(options.threads), one_blas_thread(), contiguous_memory(profiler.placed):
        runs = _runs_per_block(profiler, models[0], options)
        yield Bench(space, to_onnx, profiler, options, models, runs, progress, beside)


def sentinel_archs(space: Space) -> list[Any]:
    """Random networks, always the same: the smallest network feels a busy cache twice as much as the others."""
    return list(space.decode(space.sample(SENTINELS, np.random.default_rng(0))))


def written(to_onnx: Writer, layers: Sequence[Layer], profiler: Profiler, options: Options) -> bytes:
    """The model that a runtime is given at these options.

    Quantised models have made-up ranges: integer kernels take the same time whatever the scales are.
    """
    model = to_onnx(layers, batch=options.batch)
    if options.precision != "int8":
        return model
    return insert(model, scheme=Scheme(symmetric=True) if profiler.device == "cuda" else Scheme.here())


def _runs_per_block(profiler: Profiler, model: bytes, options: Options) -> int:
    """So many runs that a block of the sentinel lasts about `BLOCK_MS`: one run of microseconds is mostly clock."""
    with profiler.load(model, options) as session:
        (samples,) = time_sessions({SENTINEL: session}, TimingPlan(min_rounds=5, max_rounds=20)).values()
    if isinstance(samples, Failure):
        return 1
    return int(np.clip(np.ceil(BLOCK_MS / samples.ms), 1, MOST_RUNS))


def network_time(arch: Any, samples: Samples, classes: int | None = None) -> NetworkTime:
    """Samples of one network as they are stored, raw blocks included."""
    blocks = [None if np.isnan(b) else round(float(b), 6) for b in samples.blocks / samples.drift]
    return NetworkTime(arch.to_json(), samples.ms, blocks, classes)


def require(timed: Timed, what: str) -> None:
    """Raises MeasurementFailed unless at least half of the sessions could be timed; names the first reason."""
    if timed.failed and len(timed.samples) <= len(timed.failed):
        name, reason = next(iter(timed.failed.items()))
        raise MeasurementFailed(f"{what}: {len(timed.failed)} models could not be timed ({name}: {reason})")
