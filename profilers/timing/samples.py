"""How models are timed, and what comes of it: the plan of a measurement, its samples, or why there are none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.errors import BadInput
from profilers.timing.conditions import Conditions

STEADY, INTERRUPTED, UNSTATED = "steady", "interrupted", ""
STATES = (STEADY, INTERRUPTED)
ARRAYS = ("blocks", "drift", "runs")  # fields of `Samples`
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
    on the core (`profilers.timing.contention`). `untimed` and `timed` are the runs of one block. `conditions` is what
    the device's sensors said. `runs` (n,) are milliseconds of every single timed run as it was, nothing rejected or
    divided out; none where runs are too short to be timed one by one.
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
    runs: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)
    conditions: Conditions = field(default_factory=Conditions, repr=False)

    @property
    def rounds(self) -> int:
        """Rounds made, rejected ones included."""
        return len(self.blocks)


@dataclass(frozen=True)
class Failure:
    """Why a model has no samples."""

    reason: str
