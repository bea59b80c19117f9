"""Which packages are here, and what takes the place of small ones that are not."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NEEDED = ("torch", "numpy", "scipy", "onnx")
STOOD_IN = ("annotated_types", "pydantic", "rich", "threadpoolctl", "tomli_w")
USED = ("pytest", "hypothesis", "safetensors", "PIL", "pynvml", "tensorrt", "tensorrt_rtx", "onnxruntime", "triton")
_FOLDER = Path(__file__).parent / "stand_ins"
_DISTRIBUTIONS = {"PIL": "pillow", "pynvml": "nvidia-ml-py", "onnxruntime": "onnxruntime-gpu"}


def missing(names: tuple[str, ...]) -> list[str]:
    """Those of the packages that cannot be found."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def stand_in() -> list[str]:
    """Put stand-ins of what is missing on the path of this process and those that it starts; returns their names."""
    gone = missing(STOOD_IN)
    places = [str(_FOLDER / name) for name in gone]
    sys.path += places
    if places:
        os.environ["PYTHONPATH"] = os.pathsep.join([os.environ.get("PYTHONPATH", ""), *places])
    return gone


def versions() -> dict[str, str]:
    """By package; "" for one that is missing, "here" for one that does not say its version."""
    return {name: "" if missing((name,)) else _version(name) for name in (*NEEDED, *STOOD_IN, *USED)}


def _version(name: str) -> str:
    for distribution in (name, _DISTRIBUTIONS.get(name, name)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "here"
