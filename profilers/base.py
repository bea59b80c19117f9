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

from profilers.errors import BadInput, EngineUnavailable

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Options:
    """How a model is run; part of a table's identity.

    `threads` are intra-op threads (inter-op is always 1), `precision` what the runtime computes in, `batch` images a
    run, `optimization` the graph optimisation level in the runtime's own words ("" is its default).
    """

    threads: int = 1
    precision: str = "fp32"
    batch: int = 1
    optimization: str = ""

    def __post_init__(self) -> None:
        for name in ("threads", "batch"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} = {getattr(self, name)}", "1 or more")


@dataclass(frozen=True)
class Status:
    """Whether a runtime works here: its version, or the one sentence that says what is missing and what mends it."""

    available: bool
    version: str = ""
    reason: str = ""
    remedy: str = ""


class Session(ABC):
    """A loaded model with its inputs and outputs bound beforehand: `run` alone is the timed region."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @abstractmethod
    def run(self) -> None:
        """One inference on the bound buffers, complete when it returns."""

    @abstractmethod
    def infer(self, images: Array) -> Array:
        """Outputs (a copy) for `images` of `input_shape`; not timed."""

    def node_times(self) -> list[dict[str, float]]:
        """One dict a run made since the last call: milliseconds by node or tensor name. Only for traced sessions.

        Names are those of the ONNX graph (`L07_expand`, …) wherever the runtime keeps them; time that the runtime
        spends in nodes of its own (layout reorders) is charged to the next named node.
        """
        raise EngineUnavailable(f"{type(self).__name__} has no per-node times")

    def close(self) -> None:
        """Free what the session holds."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Profiler(ABC):
    """One runtime on this machine."""

    name: ClassVar[str]
    device: ClassVar[str] = "cpu"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    traces: ClassVar[bool] = True  # whether `load(…, traced=True)` gives per-node times

    def status(self) -> Status:
        """Never raises: a runtime that cannot be asked is unavailable, with the reason."""
        try:
            return self._status()
        except Exception as error:
            return Status(False, reason=f"{self.name} cannot be loaded: {error}")

    def load(self, model: bytes | Path, options: Options | None = None, *, traced: bool = False) -> Session:
        """Load an ONNX model (bytes or a file).

        Raises:
            EngineUnavailable: the runtime does not work here, or has no per-node times.
            BadInput: a precision that the runtime does not have, or a model that it refuses.
        """
        options = options or Options()
        status = self.status()
        if not status.available:
            raise EngineUnavailable(status.reason, remedy=status.remedy)
        if options.precision not in self.precisions:
            raise BadInput(f"precision {options.precision!r} on {self.name}", ", ".join(self.precisions))
        if traced and not self.traces:
            raise EngineUnavailable(f"{self.name} has no per-node times", remedy="--method isolated")
        return self._load(model, options, traced)

    @abstractmethod
    def _status(self) -> Status: ...

    @abstractmethod
    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session: ...


@dataclass(frozen=True)
class TimingPlan:
    """How timing is done (MEASUREMENT: protocol for a noisy, shared machine). All rules are fixed beforehand.

    One round runs every model once in random order, each as a block of `runs_per_block` timed runs after one untimed
    run; the block's time is its mean. A fixed sentinel model, if given, runs at the start of each round.
    """

    min_rounds: int = 10
    max_rounds: int = 60
    runs_per_block: int = 1
    warmup_runs: int = 5
    warmup_max_runs: int = 50
    relative_interval: float = 0.02
    sentinel_tolerance: float = 0.05
    max_wall_over_cpu: float = 1.05
    quantile: float = 0.25
    seconds: float | None = None
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """All fields, for provenance."""
        return asdict(self)


@dataclass(frozen=True)
class Samples:
    """Raw block times of one model and their summary; one estimator (`ms`, a low quantile) serves everything.

    blocks (rounds,)  milliseconds of one run, NaN where rejected      drift (rounds,)  sentinel's relative drift, 1 = none
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

    @property
    def rounds(self) -> int:
        """Rounds made, rejected ones included."""
        return len(self.blocks)


@dataclass(frozen=True)
class Failure:
    """Why a model has no samples."""

    reason: str
