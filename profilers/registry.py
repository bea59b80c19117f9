"""The runtimes by name: a new one is one file and one line here."""

from __future__ import annotations

from profilers.base import Profiler
from profilers.errors import BadInput
from profilers.runtimes.fake import Fake
from profilers.runtimes.onnxruntime import OnnxRuntime, OnnxRuntimeCuda
from profilers.runtimes.openvino import OpenVino
from profilers.runtimes.tensorrt.session import TensorRt, TensorRtRtx

PROFILERS: dict[str, type[Profiler]] = {
    p.name: p for p in (OnnxRuntime, OnnxRuntimeCuda, OpenVino, Fake, TensorRt, TensorRtRtx)
}


def get_profiler(name: str) -> Profiler:
    """A new profiler of that name, available here or not (ask its `status`).

    Raises:
        BadInput: an unknown name.
    """
    if name not in PROFILERS:
        raise BadInput(f"unknown engine {name!r}", ", ".join(PROFILERS))
    return PROFILERS[name]()
