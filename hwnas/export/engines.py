"""Engine formats: what lies in the folder for each, and which runtime runs it.

Every folder holds `model.onnx`, float32 or quantised, with its weights inside; the engine is made of it and lies beside
it: ONNX Runtime's optimised model (`model.ort`), OpenVINO's IR (`model.xml`, `model.bin`), TensorRT's engine with its
manifest, torch's package of AOTInductor (`model.pt2`) with its own. Format "onnx" is the ONNX itself. Every runtime
with a loader for `run.py` is a format; a new one is added in `profilers` or by a package (`profilers.base.Profiler`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from hwnas.export import inference_script
from profilers.base import Loader, Options, Profiler, Session, Tensor, TorchModel
from profilers.devices.hosts import profiler_at
from profilers.errors import BadInput, FingerprintMismatch, HwnasError, nearest
from profilers.files import inside, read_bytes
from profilers.plugins import PREFIX
from profilers.registry import BUILTIN, OWN, PROFILERS, get_profiler
from profilers.runtimes.onnxruntime import OnnxRuntime
from profilers.timing.fingerprint import Fingerprint, vector_flags
from profilers.timing.here import HERE

MODEL, PLAIN = "model.onnx", "onnx"
NAMES = (PLAIN, *(name for name, runtime in BUILTIN.items() if runtime.ships()))
"""Formats that need no package of somebody else's."""


@dataclass(frozen=True)
class Engine:
    """A format: a runtime's own one, or with `plain` the ONNX that it loads as it is; `host` is where that runs."""

    name: str
    runtime: type[Profiler]
    plain: bool = False
    host: str = ""

    def at(self, host: str) -> Engine:
        """The same, run on the device of that address; "" is this machine."""
        return replace(self, host=host)

    @property
    def running(self) -> Profiler:
        """The runtime, where it runs."""
        return profiler_at(self.host, self.profiler)

    @property
    def profiler(self) -> str:
        """The name of the runtime that runs and times it."""
        return self.runtime.name

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of its files, the one that is loaded first."""
        return Profiler.suffixes if self.plain else self.runtime.suffixes

    @property
    def compiles(self) -> bool:
        """Whether it has files beside the ONNX."""
        return self.suffixes != Profiler.suffixes

    @property
    def batch(self) -> int:
        """Usual images a run."""
        return self.runtime.default_batch

    @property
    def gpu(self) -> bool:
        """Whether it is built for cards, by a machine that may have none."""
        return self.runtime.gpu

    @property
    def one_batch(self) -> bool:
        """Whether it is compiled for one batch."""
        return self.gpu or (self.compiles and self.runtime.one_batch)

    @property
    def slow(self) -> bool:
        """Whether compiling takes so long that it is done only where it is asked for."""
        return self.compiles and self.runtime.compiles_long

    def options(self, wanted: Options) -> Options:
        """At the level that an engine is compiled at, where nothing else is said."""
        return replace(wanted, optimization=wanted.optimization or ("" if self.plain else self.runtime.engine_level))

    @property
    def machine_specific(self) -> bool:
        """Whether the files are for one version of the runtime and one kind of CPU."""
        return self.compiles and self.runtime.machine_specific


class _Engines(Mapping[str, Engine]):
    """By name, those whose runtime can be imported."""

    def __getitem__(self, name: str) -> Engine:
        if name == PLAIN:
            return Engine(PLAIN, OnnxRuntime, plain=True)
        try:
            runtime = PROFILERS[name]
        except HwnasError as error:  # `hwnas engines` says why
            raise KeyError(name) from error
        if not runtime.ships():
            raise KeyError(name)
        return Engine(name, runtime)

    def __iter__(self) -> Iterator[str]:
        return (name for name in (PLAIN, *PROFILERS) if name in self)

    def __len__(self) -> int:
        return len(list(iter(self)))


ENGINES = _Engines()


def get_engine(name: str, folder: Path | None = None) -> Engine:
    """The format of that name, or of a runtime of one's own, `python:module:Class` (see `get_profiler`).

    Raises:
        BadInput: an unknown name (those that exist are listed), a runtime without a loader, or one that cannot be
            imported.
    """
    return stored_engine(get_profiler(name, folder).name if name.startswith(PREFIX) else name)


def stored_engine(name: str) -> Engine:
    """The format that a file names: never `python:…`, which would run a module of the sender's choice."""
    if name in ENGINES:
        return ENGINES[name]
    if name in PROFILERS:
        PROFILERS.find(name)  # says why it cannot be imported, if that is the reason
        raise BadInput(f"engine {name!r}, which has no loader for run.py", ", ".join(ENGINES), f"--engine {PLAIN}")
    raise BadInput(f"unknown engine {name!r}", ", ".join(ENGINES), nearest(name, list(ENGINES)) or OWN)


def compile_engine(
    engine: Engine,
    model: bytes,
    options: Options,
    gpus: tuple[str, ...],
    folder: Path,
    module: TorchModel | None = None,
) -> list[str]:
    """Write the engine's files beside its ONNX, compiled where it runs; their names, none where it is the ONNX.

    A runtime that takes torch modules compiles `module`, where there is one, and not its ONNX. Raises as it does.
    """
    if not engine.compiles:
        return []
    runtime = engine.running
    if module is not None and runtime.modules:
        return runtime.compile_module(module, options, gpus, folder)
    return runtime.compile(model, options, gpus, folder)


def engine_files(engine: Engine, files: Sequence[str]) -> list[str]:
    """The engine's own among a folder's files, the one that is loaded first; BadInput unless there is one of each."""
    found = [name for suffix in engine.suffixes for name in files if name.endswith(suffix)]
    if len(found) != len(engine.suffixes):
        got, wanted = ", ".join(found) or "no file", ", ".join(engine.suffixes)
        raise BadInput(f"{got} as an engine of {engine.name}", f"one file each of {wanted}", "export it again")
    return found


def open_engine(engine: Engine, folder: Path, options: Options, files: Sequence[str]) -> Session:
    """Load the engine in `folder` with its runtime.

    Args:
        engine: its format.
        folder: where it lies.
        options: how it runs.
        files: the folder's files; those that `compile_engine` wrote are among them.

    Raises:
        BadInput: a damaged ONNX or engine, or one that points to other files.
        FingerprintMismatch: an engine of another version or card. EngineUnavailable: it cannot run here.
    """
    check_onnx(read_bytes(inside(folder, MODEL)), MODEL)
    return engine.running.open(inside(folder, engine_files(engine, files)[0]), options)


def check_machine(engine: Engine, made: Fingerprint) -> None:
    """FingerprintMismatch for files that are not for the runtime's version and the CPU here, where that matters."""
    runtime = engine.running
    here = made_for(runtime.status().version, (runtime.place or HERE).cpu().flags)
    there = made_for(made.runtime_version, made.flags)
    if engine.machine_specific and here != there:
        raise FingerprintMismatch(
            f"its {engine.suffixes[0]} file is optimised for {there}, not for {here}",
            "the same version and kind of CPU",
            "--rebuild, or model.onnx, which runs anywhere",
        )


def made_for(version: str, flags: Sequence[str]) -> str:
    """What an optimised model is specific to, in words."""
    return f"version {version} on a CPU with {' '.join(vector_flags(flags)) or 'unknown vectors'}"


def snippet(engine: Engine, options: Options, inputs: Mapping[str, Tensor], files: Sequence[str]) -> str:
    """The lines of code that load it and run it on zeros."""
    return inference_script.snippet(_loader(engine, options, files), inputs)


def script(engine: Engine, options: Options, files: Sequence[str], entry: str | None = "input") -> str:
    """The text of `run.py`; `entry` is the input that takes images, None for a model that takes other arrays."""
    return inference_script.script(_loader(engine, options, files), options.batch, entry)


def _loader(engine: Engine, options: Options, files: Sequence[str]) -> Loader:
    return engine.running.loader(engine_files(engine, files)[0], options)


def check_onnx(model: bytes, name: str) -> None:
    """Refuse a file that is no ONNX model, or that keeps weights in other files (which could lie anywhere)."""
    try:
        proto = onnx.load_model_from_string(model)
        attributes = [a for node in proto.graph.node for a in node.attribute]
        held = [*proto.graph.initializer, *(t for a in attributes for t in (a.t, *a.tensors))]
        tensors = [t for t in held if t.data_location == onnx.TensorProto.EXTERNAL]
    except Exception as error:
        raise BadInput(f"{name} is not an ONNX model: {error}", remedy="export it again") from error
    if tensors:
        raise BadInput(f"{name} keeps {len(tensors)} tensors in other files", "one file with its weights inside")
