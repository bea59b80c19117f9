"""The contract of every runtime: an ONNX model in, a session that runs it, timing samples out.

A runtime is one file with one `Profiler` subclass. Its name is a line in `profilers.registry`, an entry point of a
package (group `hwnas.runtimes`), or `python:module:Class`. Public methods check their arguments and make one line of
whatever goes wrong; the subclass's `_status`, `_load` and `_compile` do the work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from profilers.errors import BadInput, EngineUnavailable, FileProblem, HwnasError
from profilers.session import Array as Array
from profilers.session import Feeds as Feeds
from profilers.session import FunctionSession as FunctionSession
from profilers.session import NodeDetail as NodeDetail
from profilers.session import Session as Session
from profilers.session import Tensor as Tensor
from profilers.timing.place import Place
from profilers.timing.samples import INTERRUPTED as INTERRUPTED
from profilers.timing.samples import MIN_BLOCKS as MIN_BLOCKS
from profilers.timing.samples import STATES as STATES
from profilers.timing.samples import STEADY as STEADY
from profilers.timing.samples import UNSTATED as UNSTATED
from profilers.timing.samples import Failure as Failure
from profilers.timing.samples import Samples as Samples
from profilers.timing.samples import TimingPlan as TimingPlan

if TYPE_CHECKING:
    from torch import nn


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


def not_importable(package: str, error: BaseException, remedy: str) -> Status:
    """Of a package that cannot be imported: it is not there, or it is and its loader says what is wrong with it."""
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return Status(False, reason=f"{package} is not installed", remedy=remedy)
    said = " ".join(str(error).split()) or type(error).__name__
    mend = f"pip install --force-reinstall {package}, or install what it lacks"
    return Status(False, reason=f"{package} is installed, but broken: {said}", remedy=mend)


class TorchModel(NamedTuple):
    """A torch module, inputs for it by name in the order of its forward, and what its outputs are called."""

    module: nn.Module
    feeds: Feeds
    outputs: tuple[str, ...]


class Loader(NamedTuple):
    """A runtime's part of a program that needs nothing of this project.

    needs    packages, as in "onnxruntime"
    imports  as in "numpy as np, onnxruntime as ort"
    load     lines that load the engine; `here`, a `pathlib.Path`, is its folder
    call     an expression for the outputs by name, of `feeds`, the inputs by name
    """

    needs: str
    imports: str
    load: str
    call: str


class Profiler(ABC):
    """One runtime on this machine.

    A subclass has a `name` and writes `_status` and `_load`. That is enough to profile models and build tables
    (`traces = False` if it does not time single nodes). With `loader` it can be exported to.

    >>> class Mine(Profiler):
    ...     name, traces = "mine", False
    ...
    ...     def _status(self):
    ...         return Status(False, reason="mine is not installed", remedy="pip install mine")
    ...
    ...     def _load(self, model, options, traced):
    ...         ...
    >>> Mine().status().reason
    'mine is not installed'
    """

    name: ClassVar[str]
    device: ClassVar[str] = "cpu"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    levels: ClassVar[tuple[str, ...]] = ()  # of graph optimisation
    supports_parallel_load: ClassVar[bool] = False  # several models at once (`timing.core_groups`)
    traces: ClassVar[bool] = True  # whether `load(…, traced=True)` gives per-node times
    own_onnx: ClassVar[bool] = False  # whether it loads only ONNX that hwnas wrote
    modules: ClassVar[bool] = False  # whether it takes torch modules (`load_module`)
    place: Place | None = None  # where it runs; None: on this machine

    # Of an exported folder
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)  # of the engine's files, the one that is opened first
    default_batch: ClassVar[int] = 1  # images a run where nothing is said
    machine_specific: ClassVar[bool] = False  # whether the files are for one version and one kind of CPU
    engine_level: ClassVar[str] = ""  # of graph optimisation, at which engines are compiled
    one_batch: ClassVar[bool] = False  # compiled for one batch
    compiles_long: ClassVar[bool] = False  # minutes: done only where somebody asks for it by name
    gpu: ClassVar[bool] = False  # compiled for one batch and named cards, by a machine that may have none

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
        self._check(options, traced)
        if isinstance(model, Path) and not model.is_file():
            raise FileProblem(f"cannot read {model}: no such file", remedy="check the path")
        with self._one_line():
            return self._load(model, options, traced)

    def load_module(
        self, module: nn.Module, feeds: Feeds, options: Options | None = None, *, traced: bool = False
    ) -> Session:
        """Load a torch module as it is, for inputs like `feeds`, by name in the order of its forward.

        Raises:
            EngineUnavailable, BadInput: as `load`; also a runtime that takes no modules (`modules`).
        """
        options = options or Options()
        self._check(options, traced)
        if not self.modules:
            raise EngineUnavailable(f"{self.name} takes no torch modules", remedy="their ONNX")
        with self._one_line():
            return self._load_module(module, feeds, options, traced)

    def open(self, path: Path, options: Options) -> Session:
        """Load what `compile` wrote; `path` is its first file, of the first of `suffixes`. Raises as `load`."""
        return self.load(path, options)

    def compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        """Write an engine's files into `folder`; their names, in the order of `suffixes`.

        Args:
            model: ONNX, with its batch and precision. A runtime that loads it as it is writes nothing.
            options: how the engine will run.
            gpus: compute capabilities that it is for, as in "sm86"; none for the card at hand.
            folder: an existing one.

        Raises:
            BadInput: a model or setting that the runtime refuses. EngineUnavailable: it does not work here.
        """
        with self._one_line():
            return self._compile(model, options, gpus, folder)

    def compile_module(self, model: TorchModel, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        """As `compile`, of a torch module as it is; only where the runtime takes them (`modules`)."""
        with self._one_line():
            return self._compile_module(model, options, gpus, folder)

    def loader(self, file: str, options: Options) -> Loader:
        """The part of the shipped `run.py` that loads and calls the engine, whose first file is `file`."""
        raise EngineUnavailable(f"{self.name} has no loader for run.py", remedy="--engine onnx")

    def loader_elsewhere(self, file: str, options: Options, version: str, flags: Sequence[str]) -> Loader:
        """`loader` for a machine with that version of the runtime and a CPU of these flags; most ask neither."""
        return self.loader(file, options)

    @property
    def compiles(self) -> bool:
        """Whether an engine is something else than its ONNX."""
        return self.suffixes != Profiler.suffixes

    @classmethod
    def ships(cls) -> bool:
        """Whether engines can be exported: it has a `loader`."""
        return cls.loader is not Profiler.loader

    def require(self, options: Options) -> None:
        """Check that the runtime works here with these options; raises as `load` does."""
        status = self.status()
        if not status.available:
            raise EngineUnavailable(status.reason, remedy=status.remedy)
        if options.precision not in self.precisions:
            raise BadInput(f"precision {options.precision!r} on {self.name}", ", ".join(self.precisions))
        if options.precision not in (here := self.supported_precisions()):
            raise BadInput(f"precision {options.precision!r}, which {self.name} lacks on this device", ", ".join(here))
        if options.optimization not in ("", *self.levels):
            allowed = ", ".join(self.levels) or "none: it has no levels"
            raise BadInput(f"optimization {options.optimization!r} on {self.name}", allowed)
        if options.state == INTERRUPTED and self.device == "cuda":
            raise BadInput(f"state {INTERRUPTED} on {self.name}, whose caches are the GPU's", STEADY)

    def traces_at(self, options: Options) -> bool:
        """Whether it has per-node times with these options."""
        return self.traces

    def require_layers(self, options: Options) -> None:
        """EngineUnavailable where it has no per-node times with these options, with what to do for a table."""
        if not self.traces_at(options):
            level = f" at the level {options.optimization}" if self.traces else ""
            remedy = (
                f"{'another level' if level else 'another engine'}; for a table, --method isolated, or a few whole "
            )
            remedy += "networks: hwnas lut plan, lut measure, lut fit"
            raise EngineUnavailable(f"{self.name} has no per-node times{level}", remedy=remedy)

    def with_build_cache(self, path: Path) -> Profiler:
        """The same runtime, which keeps what speeds up later loads beside the file at `path`; most keep nothing."""
        return self

    def supported_precisions(self) -> tuple[str, ...]:
        """Those of `precisions` that this device has."""
        return self.precisions

    def device_name(self) -> str:
        """The device's model; "" where the device is this machine's CPU."""
        return ""

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Whatever a runtime raises is a model that it refuses."""
        try:
            yield
        except (HwnasError, MemoryError):
            raise
        except Exception as error:
            said = f"{self.name} refuses the model: {type(error).__name__}: {error}"
            raise BadInput(said, "an ONNX model that it can run") from error

    def _check(self, options: Options, traced: bool) -> None:
        self.require(options)
        if traced:
            self.require_layers(options)

    def _compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        return []

    def _compile_module(self, model: TorchModel, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        raise NotImplementedError

    def _load_module(self, module: nn.Module, feeds: Feeds, options: Options, traced: bool) -> Session:
        raise NotImplementedError

    @abstractmethod
    def _status(self) -> Status: ...

    @abstractmethod
    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session: ...
