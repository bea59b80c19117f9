"""The contract of every runtime: an ONNX model in, a session that runs it, timing samples out.

A runtime is one file with one `Profiler` subclass and one line in `profilers.registry`.
Public methods check their arguments; the subclass's `_status` and `_load` do the work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from profilers.errors import BadInput, EngineUnavailable, FileProblem
from profilers.session import Array as Array
from profilers.session import Feeds as Feeds
from profilers.session import NodeDetail as NodeDetail
from profilers.session import Session as Session
from profilers.session import Tensor as Tensor

STEADY, INTERRUPTED, UNSTATED = "steady", "interrupted", ""
STATES = (STEADY, INTERRUPTED)


@dataclass(frozen=True)
class Options:
    """How a model is run; part of a table's identity.

    `state` is the state of the caches in which a run is timed:
    steady       the model runs back to back and its data is in the caches: what benchmark tools report
    interrupted  other work has evicted it before each run (`profilers.timing.caches`): what an application sees that
                 classifies one picture now and then
    ""           not stated: files of earlier versions and of other tools
    """

    threads: int = 1
    """Intra-op threads; inter-op is always 1."""
    precision: str = "fp32"
    """What the runtime computes in."""
    batch: int = 1
    """Images a run."""
    optimization: str = ""
    """Graph optimisation level in the runtime's own words; empty is its default."""
    state: str = STEADY
    """State of the caches: steady, interrupted, or empty where it is not stated."""

    def __post_init__(self) -> None:
        for name in ("threads", "batch"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} = {getattr(self, name)}", "1 or more")
        if self.state not in (*STATES, UNSTATED):
            raise BadInput(f"state {self.state!r}", ", ".join(STATES))


@dataclass(frozen=True)
class Status:
    """Whether a runtime works here: its version, or one sentence on what is missing and how to get it."""

    available: bool
    version: str = ""
    reason: str = ""
    remedy: str = ""


class Profiler(ABC):
    """One runtime on this machine."""

    name: ClassVar[str]
    device: ClassVar[str] = "cpu"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    supports_parallel_load: ClassVar[bool] = False  # several models at once (`timing.core_groups`)
    traces: ClassVar[bool] = True  # whether `load(…, traced=True)` gives per-node times

    def status(self) -> Status:
        """Never raises: a runtime that cannot be imported or asked is unavailable, with the reason."""
        try:
            return self._status()
        except Exception as error:
            return Status(False, reason=f"{self.name} cannot be loaded: {error}")

    def load(self, model: bytes | Path, options: Options | None = None, *, traced: bool = False) -> Session:
        """Load an ONNX model (bytes or a file).

        Raises:
            EngineUnavailable: the runtime does not work here, or has no per-node times.
            BadInput: a precision that the runtime does not have, or a model that it refuses.
            FileProblem: no such file.
        """
        options = options or Options()
        self.require(options)
        if traced and not self.traces:
            raise EngineUnavailable(f"{self.name} has no per-node times", remedy="--method isolated")
        if isinstance(model, Path) and not model.is_file():
            raise FileProblem(f"cannot read {model}: no such file", remedy="check the path")
        return self._load(model, options, traced)

    def require(self, options: Options) -> None:
        """Check that the runtime works here with these options; raises as `load` does."""
        status = self.status()
        if not status.available:
            raise EngineUnavailable(status.reason, remedy=status.remedy)
        if options.precision not in self.precisions:
            raise BadInput(f"precision {options.precision!r} on {self.name}", ", ".join(self.precisions))
        if options.precision not in (here := self.supported_precisions()):
            raise BadInput(f"precision {options.precision!r}, which {self.name} lacks on this device", ", ".join(here))
        if options.state == INTERRUPTED and self.device == "cuda":
            raise BadInput(f"state {INTERRUPTED} on {self.name}, whose caches are the GPU's", STEADY)

    def with_build_cache(self, path: Path) -> Profiler:
        """The same runtime, which keeps what speeds up later loads beside the file at `path`; most keep nothing."""
        return self

    def supported_precisions(self) -> tuple[str, ...]:
        """Those of `precisions` that this device has."""
        return self.precisions

    def device_name(self) -> str:
        """The device's model; "" where the device is this machine's CPU."""
        return ""

    @abstractmethod
    def _status(self) -> Status: ...

    @abstractmethod
    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session: ...


MIN_BLOCKS = 3  # accepted blocks without which there is no estimate: the spread of two is not known


@dataclass(frozen=True)
class TimingPlan:
    """How models are timed; all rules are fixed beforehand. The named plans are in `profilers.timing.plans`.

    Rounds. One round runs every model once, in random order, each as a block: untimed runs until the model's data is
    in the caches, then timed runs, whose mean is the block's time. A block has `runs_per_block` timed runs, or more
    (up to `MOST_RUNS`) until they last `block_ms`, because a run of microseconds is mostly clock reading.
    `untimed_runs`: None lets the loop learn the number (`profilers.timing.settling`). In the state `interrupted` there
    are no untimed runs, and the caches are disturbed before each timed one.

    Estimator. The `quantile` of the accepted blocks, after division by the machine's drift (`profilers.timing.drift`).

    Stopping. After `min_rounds` and `least_seconds`, once the half-width of every 95 % interval is within
    `relative_interval` of its estimate; at the latest after `max_rounds` rounds or `seconds`.

    Rejection. A block whose wall time exceeds `max_wall_over_cpu` times its CPU time a thread: the process was
    descheduled. `cpu_time_when_busy`: single-threaded models of which this rejects most blocks are timed by CPU time
    instead, and models of which it rejects nearly all blocks are timed without rejection.
    """

    min_rounds: int = 10
    max_rounds: int = 60
    runs_per_block: int = 1
    untimed_runs: int | None = None
    block_ms: float = 0.5
    warmup_runs: int = 5
    warmup_max_runs: int = 50
    relative_interval: float = 0.02
    max_wall_over_cpu: float = 1.05
    quantile: float = 0.5
    cpu_time_when_busy: bool = True
    least_seconds: float = 0.0
    seconds: float | None = None
    state: str = STEADY
    seed: int = 0

    def __post_init__(self) -> None:
        least = {
            "min_rounds": MIN_BLOCKS,
            "max_rounds": self.min_rounds,
            "runs_per_block": 1,
            "least_seconds": 0,
            "warmup_runs": 1,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise BadInput(f"{name} = {getattr(self, name)} in a timing plan", f"{low} or more")
        if not 0 <= self.quantile <= 1:
            raise BadInput(f"quantile = {self.quantile} in a timing plan", "0 to 1")

    @property
    def estimator(self) -> str:
        """What `Samples.ms` is, in words."""
        name = "median" if self.quantile == 0.5 else f"{self.quantile:.0%} quantile"
        return f"{name} of the accepted blocks, slowdown against the machine's quick moments divided out"

    def to_json(self) -> dict[str, Any]:
        """All fields, for provenance."""
        return asdict(self)


@dataclass(frozen=True)
class Samples:
    """Raw block times of one model and their summary.

    blocks (rounds,)  milliseconds of one run, NaN where rejected
    drift  (rounds,)  the machine's slowdown around each block (`profilers.timing.drift`), 1 at its fastest

    `ms`, `median` and `p90` are of blocks / drift; `low` to `high` is the 95 % bootstrap interval of `ms`. `estimator`
    says what `ms` is, `state` in which state of the caches. `clock` is "cpu" where the machine was too busy for wall
    time. `contended_fraction` is the share of blocks, of all models of the call, before which other work was detected
    on the core (`profilers.timing.contention`). `untimed` and `timed` are the runs of one block.
    """

    blocks: NDArray[np.float64] = field(repr=False)
    drift: NDArray[np.float64] = field(repr=False)
    ms: float
    low: float
    high: float
    median: float
    p90: float
    rejected: int
    converged: bool
    clock: str = "wall"
    contended_fraction: float = 0.0
    estimator: str = ""
    state: str = STEADY
    untimed: int = 0
    timed: int = 1

    @property
    def rounds(self) -> int:
        """Rounds made, rejected ones included."""
        return len(self.blocks)


@dataclass(frozen=True)
class Failure:
    """Why a model has no samples."""

    reason: str
