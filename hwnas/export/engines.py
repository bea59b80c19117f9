"""Engine formats: what lies in the folder for each, and which profiler runs it. A new one is one entry.

Every folder holds `model.onnx`, float32 or quantised, with its weights inside; the engine is made of it and lies beside
it: ONNX Runtime's optimised model (`model.ort`), OpenVINO's IR (`model.xml`, `model.bin`), TensorRT's engine with its
manifest. Format "onnx" is the ONNX itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import onnx

from hwnas.export import inference_script
from profilers.base import Options, Session
from profilers.errors import BadInput, FingerprintMismatch
from profilers.files import inside, read_bytes
from profilers.registry import get_profiler
from profilers.runtimes.save import save_ir, save_optimised
from profilers.runtimes.tensorrt.build import TENSORRT, TENSORRT_RTX, Product, Settings, build
from profilers.runtimes.tensorrt.manifest import SUFFIX, read_engine, write_engine
from profilers.runtimes.tensorrt.session import TensorRt
from profilers.timing.fingerprint import Fingerprint, cpu_flags

MODEL = "model.onnx"
VECTORS = {"avx2", "avx512f", "asimd"}  # CPU flags that decide the layouts in an optimised model
Compile = Callable[[bytes, Options, tuple[str, ...], Path], list[str]]


@dataclass(frozen=True)
class Engine:
    """A format.

    profiler  runs and times it              suffixes  of its files, the one that is loaded first
    loader    `run.py`'s part for it         compile   makes the files from the ONNX; None where it is the ONNX
    batch     usual images a run             gpu       built for cards, by a machine that may have none
    machine_specific  whether the files are for one version of the runtime and one kind of CPU
    """

    name: str
    profiler: str
    loader: inference_script.Loader
    suffixes: tuple[str, ...] = (".onnx",)
    compile: Compile | None = None
    batch: int = 1
    gpu: bool = False
    machine_specific: bool = False


def _optimised(model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
    save_optimised(model, options, folder / "model.ort")
    return ["model.ort"]


def _ir(model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
    save_ir(model, options, folder / "model.xml")
    return ["model.xml", "model.bin"]


def _compiler(product: Product) -> Compile:
    def compile_(model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        settings = Settings(options.precision, options.batch, gpus, options.optimization)
        return write_engine(folder, build(product, model, settings))

    return compile_


_GPU = (SUFFIX, ".json")
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("onnx", "onnxruntime", inference_script.ORT),
        Engine("onnxruntime", "onnxruntime", inference_script.OPTIMISED, (".ort",), _optimised, machine_specific=True),
        Engine("openvino", "openvino", inference_script.OV, (".xml", ".bin"), _ir),
        Engine("tensorrt", "tensorrt", inference_script.TRT, _GPU, _compiler(TENSORRT), 64, gpu=True),
        Engine("tensorrt-rtx", "tensorrt-rtx", inference_script.TRT_RTX, _GPU, _compiler(TENSORRT_RTX), 64, gpu=True),
    )
}


def get_engine(name: str) -> Engine:
    """The format of that name; BadInput lists those that exist."""
    if name not in ENGINES:
        raise BadInput(f"unknown engine {name!r}", ", ".join(ENGINES))
    return ENGINES[name]


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
        files: the folder's files; those that `compile` wrote are among them.

    Raises:
        BadInput: a damaged ONNX or engine, or one that points to other files.
        FingerprintMismatch: an engine of another version or card. EngineUnavailable: it cannot run here.
    """
    check_onnx(read_bytes(inside(folder, MODEL)), MODEL)
    profiler, path = get_profiler(engine.profiler), inside(folder, engine_files(engine, files)[0])
    if engine.gpu:
        return cast(TensorRt, profiler).load_engine(read_engine(path))
    return profiler.load(path, options)


def check_machine(engine: Engine, made: Fingerprint) -> None:
    """FingerprintMismatch for files that are not for the runtime's version and the CPU here, where that matters."""
    here = made_for(get_profiler(engine.profiler).status().version, cpu_flags())
    there = made_for(made.runtime_version, made.flags)
    if engine.machine_specific and here != there:
        raise FingerprintMismatch(
            f"its {engine.suffixes[0]} file is optimised for {there}, not for {here}",
            "the same version and kind of CPU",
            "--rebuild, or model.onnx, which runs anywhere",
        )


def made_for(version: str, flags: Sequence[str]) -> str:
    """What an optimised model is specific to, in words."""
    return f"version {version} on a CPU with {' '.join(vectors(flags)) or 'unknown vectors'}"


def vectors(flags: Sequence[str]) -> list[str]:
    """Those flags that decide the layouts."""
    return sorted(VECTORS & set(flags))


def snippet(engine: Engine, options: Options, shape: tuple[int, ...], files: Sequence[str]) -> str:
    """The lines of code that load and run it."""
    return inference_script.snippet(engine.loader, shape, **_values(engine, options, files))


def script(engine: Engine, options: Options, files: Sequence[str]) -> str:
    """The text of `run.py`."""
    return inference_script.script(engine.loader, options.batch, **_values(engine, options, files))


def _values(engine: Engine, options: Options, files: Sequence[str]) -> dict[str, object]:
    """What the loaders have in braces."""
    hint = {"bf16": "bf16", "fp16": "f16"}.get(options.precision, "f32")  # OpenVINO's word; int8 is in the model
    return {
        "threads": options.threads,
        "hint": hint,
        "file": engine_files(engine, files)[0],
        "version": get_profiler(engine.profiler).status().version or "unknown",
        "families": _set(sorted(VECTORS)),
        "vectors": _set(vectors(cpu_flags())),
    }


def _set(names: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{name}"' for name in names or ["unknown"]) + "}"


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
