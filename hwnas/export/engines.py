"""Engine formats: what lies in the folder for each, and which profiler runs it. A new one is one entry.

Every folder holds `model.onnx`, float32 or quantised, with its weights inside. TensorRT's engines are built from it and
lie beside it with their manifests; ONNX Runtime and OpenVINO load the ONNX itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import onnx

from hwnas.export import runner
from profilers.base import Options, Session
from profilers.errors import BadInput
from profilers.files import inside, read_bytes
from profilers.registry import get_profiler
from profilers.trt import TensorRt
from profilers.trt_build import TENSORRT, TENSORRT_RTX, Flavour, Settings, build
from profilers.trt_manifest import SUFFIX, read_engine, write_engine

MODEL = "model.onnx"
Compile = Callable[[bytes, Options, tuple[str, ...], Path], list[str]]


@dataclass(frozen=True)
class Engine:
    """A format: `profiler` runs and times it, `snippet` loads and runs it, `compile` builds its files from the ONNX.

    `loader` is `run.py`'s part for it, `imports` that file's import lines. What is compiled may be built on a machine
    that cannot run it.
    """

    name: str
    profiler: str
    snippet: str
    loader: str
    imports: str
    batch: int = 1
    compile: Compile | None = None


def _compiler(flavour: Flavour) -> Compile:
    def compile_(model: bytes, options: Options, targets: tuple[str, ...], folder: Path) -> list[str]:
        settings = Settings(options.precision, options.batch, targets, options.optimization)
        return write_engine(folder, build(flavour, model, settings))

    return compile_


_ORT = """\
import numpy as np, onnxruntime as ort
session = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
logits = session.run(None, {{"input": np.zeros({shape}, np.float32)}})[0]"""

_OV = """\
import numpy as np, openvino as ov
model = ov.Core().compile_model("model.onnx", "CPU", {{"INFERENCE_PRECISION_HINT": "{hint}"}})
logits = model(np.zeros({shape}, np.float32))[0]"""

_TRT = """\
import {package} as trt  # version {version}, the one that built it
engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(open("{file}", "rb").read())
context = engine.create_execution_context()  # set_tensor_address of "input" {shape} and "logits", execute_async_v3"""

_CUDA = "import pycuda.autoinit, pycuda.driver as cuda\n"

ENGINES = {
    engine.name: engine
    for engine in (
        Engine("onnx", "onnxruntime", _ORT, runner.ORT, "import onnxruntime as ort"),
        Engine("onnxruntime", "onnxruntime", _ORT, runner.ORT, "import onnxruntime as ort"),
        Engine("openvino", "openvino", _OV, runner.OV, "import openvino as ov"),
        Engine("tensorrt", "tensorrt", _TRT, runner.TRT, _CUDA + "import tensorrt as trt", 64, _compiler(TENSORRT)),
        Engine(
            "tensorrt-rtx",
            "tensorrt-rtx",
            _TRT,
            runner.TRT,
            _CUDA + "import tensorrt_rtx as trt",
            64,
            _compiler(TENSORRT_RTX),
        ),
    )
}


def get_engine(name: str) -> Engine:
    """The format of that name; BadInput lists those that exist."""
    if name not in ENGINES:
        raise BadInput(f"unknown engine {name!r}", ", ".join(ENGINES))
    return ENGINES[name]


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
    model = read_bytes(inside(folder, MODEL))
    check_onnx(model, MODEL)
    profiler = get_profiler(engine.profiler)
    if engine.compile is None:
        return profiler.load(model, options)
    built = read_engine(inside(folder, engine_file(files)))
    return cast(TensorRt, profiler).load_engine(built)


def engine_file(files: Sequence[str]) -> str:
    """The compiled engine among a folder's files."""
    found = [name for name in files if name.endswith(SUFFIX)]
    if len(found) != 1:
        raise BadInput(f"{len(found)} engines in one folder", "one", "export it again")
    return found[0]


def snippet(engine: Engine, options: Options, shape: tuple[int, ...], files: Sequence[str], version: str) -> str:
    """The lines of code that load and run it."""
    return engine.snippet.format(
        shape=shape, hint=_hint(options), version=version, package=engine.profiler.replace("-", "_"),
        file=engine_file(files) if engine.compile else MODEL,
    )  # fmt: skip


def script(engine: Engine, options: Options, files: Sequence[str]) -> str:
    """The text of `run.py`."""
    needs = engine.profiler.replace("-", "_") + (" and pycuda" if engine.compile else "")
    return runner.script(
        engine.loader, engine.imports, needs, options.batch, threads=options.threads, hint=_hint(options),
        file=engine_file(files) if engine.compile else MODEL,
    )  # fmt: skip


def _hint(options: Options) -> str:
    """OpenVINO's word for what it computes in; a quantised model says so itself."""
    return {"bf16": "bf16", "fp16": "f16"}.get(options.precision, "f32")


def check_onnx(model: bytes, name: str) -> None:
    """Refuse a file that is no ONNX model, or that keeps weights in other files (which could lie anywhere)."""
    try:
        proto = onnx.load_model_from_string(model)
        tensors = [t for t in proto.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    except Exception as error:
        raise BadInput(f"{name} is not an ONNX model: {error}", remedy="export it again") from error
    if tensors:
        raise BadInput(f"{name} keeps {len(tensors)} tensors in other files", "one file with its weights inside")
