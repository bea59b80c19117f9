"""The form of datasheet.json: what each section holds, in what unit, and what a file must fulfil to be read.

`hwnas.export.datasheet` reads and writes the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hwnas.accuracy.wilson import Drop
from hwnas.export.classes import Classes
from hwnas.export.datasheet_network import ModelSection, Preprocessing, Sha256, Size, SpaceSection, TensorSection
from hwnas.export.quantity import Parity, Quantity
from profilers.constraints import Count, NotNegative, Share
from profilers.errors import BadInput, shown
from profilers.timing.conditions import Conditions
from profilers.timing.fingerprint import Fingerprint

KIND = "hwnas-datasheet"
RANDOM = "random weights: for latency only"  # a warning


@dataclass(frozen=True)
class EngineSection:
    """The engine and how it runs."""

    name: str
    """The format."""
    profiler: str
    """The runtime."""
    file: str
    """The engine's file in the folder."""
    threads: Count
    """Intra-op threads."""
    precision: str
    """What it computes in."""
    batch: Count
    """Images a run."""
    optimization: str
    """Graph optimisation level in the runtime's words."""
    state: str
    """State of the caches that is steady unless a section says otherwise."""
    dynamic_batch: bool = False
    """Whether it takes any batch; the one above is what was measured."""


@dataclass(frozen=True)
class Timing:
    """How a latency was measured."""

    state: str
    """State of the caches."""
    disturbance: str
    """What was done between runs in the state interrupted."""
    estimator: str
    """How the latency follows from the blocks."""
    rounds: int
    """Blocks that were timed."""
    rejected: int
    """Blocks that were left out."""
    converged: bool
    """Whether the interval became as narrow as wanted."""
    median_ms: NotNegative
    """Median of the blocks, ms."""
    p90_ms: NotNegative
    """90 % quantile of the blocks, ms."""
    clock: str
    """wall or cpu."""
    contended_fraction: Share
    """Share of blocks with other work on the core."""
    runs: int = 0
    """Single runs that were timed; 0 where they are not known."""
    percentiles: dict[str, Quantity] = field(default_factory=dict)
    """p90 and p99 of single runs as they were, by MLPerf's early-stopping rule."""
    conditions: Conditions | None = None
    """What the device's own sensors said; null before it was kept."""


@dataclass(frozen=True)
class StateLatency:
    """Latency in one state of the caches."""

    predicted: Quantity
    """By a latency table."""
    measured: Quantity
    """Of this engine."""
    within_interval: bool | None
    """Whether it lies in the prediction's interval; null without one."""
    timing: Timing | None
    """How it was measured; null where it was not."""
    throughput: Quantity | None = None
    """Images a second, by the measured latency of the engine's batch; null before it was kept."""


@dataclass(frozen=True)
class LatencySection:
    """Latency back to back (steady), and after other work (interrupted)."""

    predicted: Quantity
    """By a latency table."""
    measured: Quantity
    """Of this engine."""
    within_interval: bool | None
    """Whether it lies in the prediction's interval; null without one."""
    timing: Timing | None
    """How it was measured; null where it was not."""
    interrupted: StateLatency
    """After other work has taken the caches."""
    throughput: Quantity | None = None
    """Images a second, by the measured latency of the engine's batch; null before it was kept."""


@dataclass(frozen=True)
class AccuracySection:
    """Accuracy of this engine."""

    dataset: str | None
    """The data set; null without one."""
    split: str | None
    """Its split."""
    top1: Quantity
    """Share of images that are classified right, %."""
    classes: Classes | None = None
    """The same by class, and what is taken for what; null where it was not measured, and before it was kept."""


@dataclass(frozen=True)
class FileFacts:
    """A file of the folder."""

    bytes: Size
    """Its size."""
    sha256: Sha256
    """Its hash."""


@dataclass(frozen=True)
class RuntimeCosts:
    """What else running the engine costs."""

    throughput: dict[str, Quantity] = field(default_factory=dict)
    """Images a second by batch."""
    cold_start: Quantity | None = None
    """Loading and the first run in a fresh process."""
    load: Quantity | None = None
    """Loading alone."""
    peak_memory: Quantity | None = None
    """Of that process."""


@dataclass(frozen=True)
class RequestSection:
    """What was asked for; a folder of the same request and network need not be exported again."""

    engine: str
    """A format, or auto."""
    threads: Count
    """Intra-op threads."""
    precision: str
    """What it computes in."""
    batch: Count
    """Images a run."""
    optimization: str
    """Graph optimisation level."""
    state: str
    """State of the caches."""
    gpus: list[str]
    """Compute capabilities."""
    max_accuracy_drop: float | None
    """Points of top-1 that an engine chosen by auto may lose."""
    calibration: str | None
    """Images for int8."""
    weights: str = ""
    """What was said about weights."""
    dynamic_batch: bool = False
    """Whether an engine of any batch was asked for."""
    tolerance: float | None = None
    """Largest difference that an engine chosen by auto may have where no labelled images judge it."""
    host: str = ""
    """The device elsewhere that it was for; empty for the machine at hand."""
    also: list[str] = field(default_factory=list)
    """Engines that auto tried although compiling them takes minutes."""


@dataclass(frozen=True)
class CandidateSection:
    """A runtime in a precision that was tried."""

    engine: str
    """The format."""
    precision: str
    """What it computes in."""
    latency: Quantity | None
    """Measured beside the others."""
    top1: float | None
    """On the validation split, %."""
    accuracy_drop: float | None
    """Points of top-1 lost, or the share of changed classes, %; null where the model has no classes."""
    parity: Parity | None
    """With the reference."""
    bytes: Size
    """Size of the engine."""
    refused: str
    """Why it cannot be chosen; empty where it can."""
    weights: str
    """What was done to the weights."""
    accuracy_drop_interval: Drop | None = None
    """The drop with its 95 % interval."""
    tie: bool = False
    """Whether its latency and that of the chosen engine differ by no more than their intervals."""


@dataclass(frozen=True)
class SelectionSection:
    """Why this engine was chosen among several; empty where it was asked for."""

    why: str = ""
    """The rule and its outcome."""
    accuracy: str = ""
    """How accuracy was judged."""
    candidates: list[CandidateSection] = field(default_factory=list)
    """All that were tried."""
    references: dict[str, Quantity] = field(default_factory=dict)
    """Latency of torch on the same machine."""


@dataclass(frozen=True)
class Datasheet:
    """The datasheet of an exported engine."""

    kind: Literal["hwnas-datasheet"]
    """The kind of the file."""
    schema: Literal[6]
    """The version of this schema."""
    name: str
    """Id of the network."""
    created: str
    """When, ISO 8601."""
    version: str
    """Of hwnas."""
    architecture: dict[str, Any] | None
    """A network of a space, as `--archs` takes it, or a net.config; null for a model made elsewhere."""
    space: SpaceSection | None
    """Its search space; null for a model made elsewhere."""
    model: ModelSection | None
    """A model made elsewhere; null for a network of a space."""
    inputs: dict[str, TensorSection]
    """By name."""
    outputs: dict[str, TensorSection]
    """By name."""
    engine: EngineSection
    """The engine and how it runs."""
    weights: str
    """Where the weights are from."""
    objectives: dict[str, Quantity]
    """What was known before the export, by objective."""
    latency: LatencySection
    """Predicted and measured."""
    reference: str
    """What the engine's outputs were compared with."""
    parity: dict[str, Parity]
    """With the reference, by the inputs' name."""
    accuracy: AccuracySection
    """Of this engine."""
    preprocessing: Preprocessing | None
    """What an image must go through; null for a model that takes something else."""
    files: dict[str, FileFacts]
    """The folder's files by name."""
    fingerprint: Fingerprint
    """What the latency was measured on."""
    snippet: str
    """Python that loads and runs the engine."""
    commands: list[str]
    """That made it, and that check it."""
    runtime_costs: RuntimeCosts
    """Throughput, memory, cold start."""
    request: RequestSection
    """What was asked for."""
    engine_selection: SelectionSection
    """Why this engine."""
    checksum: Sha256
    """Of all the rest as canonical JSON."""
    warnings: list[str] = field(default_factory=list)
    """What the engine is not good for."""
    host: str = ""
    """The device elsewhere that it was compiled and measured on, by its user's name; empty: the machine at hand."""

    def __post_init__(self) -> None:
        """What is read together stands together."""
        how = self.preprocessing
        if not self.outputs or (how is not None and not self.inputs):
            raise BadInput("a datasheet without inputs or outputs", "at least one")
        if how is not None and not len(how.mean) == len(how.std) == how.channels:
            raise BadInput(f"mean and std of {len(how.mean)} and {len(how.std)} values", f"{how.channels} of each")
        if lacking := [name for name in ("params", "madds") if name not in self.objectives]:
            raise BadInput(f"objectives without {lacking[0]}", "params and madds")
        if odd := [name for name in self.files if name != Path(name).name or not name.isprintable()]:
            raise BadInput(f"a file called {shown(odd[0])}", "a name without folders")
