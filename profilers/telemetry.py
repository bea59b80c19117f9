"""Nothing is reported: packages that tell their makers of their use do not when they are loaded here.

A report can carry names and hashes of a user's models, and its threads and processes run beside what is timed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",  # read when ONNX Runtime is loaded; official builds report since 1.29
    "RAY_USAGE_STATS_ENABLED": "0",
}
_OPENVINO = "openvino_telemetry"  # without this package it reports nothing; it has no setting but a file in the home


def switch_off() -> None:
    """ONNX Runtime's and Ray's, for this process and those that it starts; who has set a variable has decided."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)


def import_openvino() -> Any:
    """The package `openvino`, which would report each import; ImportError where it is not installed."""
    if "openvino" in sys.modules or _OPENVINO in sys.modules:
        import openvino

        return openvino
    sys.modules[_OPENVINO] = None  # type: ignore[assignment]  # so that importing it fails
    try:
        import openvino
    finally:
        sys.modules.pop(_OPENVINO, None)  # another thread may have been here
    return openvino
