"""Engine formats: what lies in the folder for each, and which profiler runs it. A new one is one entry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from profilers.base import Options, Session
from profilers.errors import BadInput
from profilers.files import inside, read_bytes
from profilers.registry import get_profiler

MODEL = "model.onnx"


@dataclass(frozen=True)
class Engine:
    """A format; `profiler` runs and times it, `snippet` is the code that loads and runs it."""

    name: str
    profiler: str
    snippet: str


_ORT_SNIPPET = """\
import numpy as np, onnxruntime as ort
session = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
logits = session.run(None, {{"input": np.zeros({shape}, np.float32)}})[0]"""

_OV_SNIPPET = """\
import numpy as np, openvino as ov
model = ov.Core().compile_model("model.onnx", "CPU", {{"INFERENCE_PRECISION_HINT": "{openvino_precision}"}})
logits = model(np.zeros({shape}, np.float32))[0]"""

ENGINES = {
    engine.name: engine
    for engine in (
        Engine("onnx", "onnxruntime", _ORT_SNIPPET),
        Engine("onnxruntime", "onnxruntime", _ORT_SNIPPET),
        Engine("openvino", "openvino", _OV_SNIPPET),
    )
}


def get_engine(name: str) -> Engine:
    """The format of that name; BadInput lists those that exist."""
    if name not in ENGINES:
        raise BadInput(f"unknown engine {name!r}", ", ".join(ENGINES))
    return ENGINES[name]


def open_engine(engine: Engine, folder: Path, options: Options, file: str = MODEL) -> Session:
    """Load the engine in `folder` with its runtime; its ONNX is checked to be whole and to point nowhere else."""
    model = read_bytes(inside(folder, file))
    check_onnx(model, file)
    return get_profiler(engine.profiler).load(model, options)


def check_onnx(model: bytes, name: str) -> None:
    """Refuse a file that is no ONNX model, or that keeps weights in other files (which could lie anywhere)."""
    try:
        proto = onnx.load_model_from_string(model)
        tensors = [t for t in proto.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    except Exception as error:
        raise BadInput(f"{name} is not an ONNX model: {error}", remedy="export it again") from error
    if tensors:
        raise BadInput(f"{name} keeps {len(tensors)} tensors in other files", "one file with its weights inside")
