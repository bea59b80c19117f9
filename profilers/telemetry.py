"""Nothing is reported: runtimes that tell their makers of their use do not when they are loaded here.

A report can carry names and hashes of a user's models, and its threads and processes run beside what is timed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_ONNXRUNTIME = "ORT_DISABLE_TELEMETRY"  # read when it is loaded; official builds report since 1.29
_OPENVINO = "openvino_telemetry"  # without this package it reports nothing; it has no setting but a file in the home


def switch_off() -> None:
    """ONNX Runtime's, for this process and those that it starts; who has set the variable has decided."""
    os.environ.setdefault(_ONNXRUNTIME, "1")


def import_openvino() -> Any:
    """The package `openvino`, which would report each import; ImportError where it is not installed."""
    if "openvino" in sys.modules or _OPENVINO in sys.modules:
        import openvino

        return openvino
    sys.modules[_OPENVINO] = None  # type: ignore[assignment]  # so that importing it fails
    try:
        import openvino
    finally:
        del sys.modules[_OPENVINO]
    return openvino
