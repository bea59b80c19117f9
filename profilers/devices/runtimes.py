"""The runtimes that the agent can serve, imported when they are asked for; built-in ones only."""

from __future__ import annotations

import importlib
import re
from dataclasses import asdict
from typing import Any

from profilers.base import Profiler, Status
from profilers.errors import BadInput

RUNTIMES = {
    "onnxruntime": "profilers.runtimes.onnxruntime:OnnxRuntime",
    "onnxruntime-cuda": "profilers.runtimes.onnxruntime:OnnxRuntimeCuda",
    "openvino": "profilers.runtimes.openvino:OpenVino",
    "fake": "profilers.runtimes.fake:Fake",
}
_EXTRA = re.compile(r"'hwnas\[([\w-]+)\]'")  # a remedy that installs this project, which a device does not need
_kept: dict[str, Profiler] = {}


def runtime(name: str) -> Profiler:
    """One of `RUNTIMES`, the same in every call; BadInput for another, or one that cannot be imported."""
    if name not in RUNTIMES:
        raise BadInput(f"engine {name!r} on a device elsewhere", ", ".join(RUNTIMES))
    if name not in _kept:
        module, _, kind = RUNTIMES[name].partition(":")
        try:
            _kept[name] = getattr(importlib.import_module(module), kind)()
        except ImportError as error:
            raise BadInput(f"engine {name!r} cannot be imported on the device: {error}") from error
    return _kept[name]


def describe(name: str) -> dict[str, Any]:
    """What a runtime is and can do here; never raises for one of `RUNTIMES`."""
    try:
        profiler = runtime(name)
        status = profiler.status()
        precisions = profiler.supported_precisions() if status.available else profiler.precisions
        facts = {
            "device": profiler.device,
            "device_name": profiler.device_name() if status.available else "",
            "precisions": list(profiler.precisions),
            "supported": list(precisions),
            "levels": list(profiler.levels),
            "traces": profiler.traces,
            "parallel": profiler.supports_parallel_load,
        }
    except Exception as error:
        status, facts = Status(False, reason=f"{name} cannot be used: {error}"), {}
    said = asdict(status)
    said["remedy"] = _EXTRA.sub(r"\1", status.remedy)
    return {"engine": name, **said, **facts}
