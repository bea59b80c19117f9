"""Pythons that stand for devices: old ones with only numpy and a runtime, made beforehand, and this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OLD = ("/tmp/exp/v39/bin/python", os.environ.get("HWNAS_PYTHON39", ""))
BARE = ("python3.9", str(Path.home() / ".pyenv/versions/3.9.18/bin/python"))


def old_python() -> str:
    """Python 3.9 with numpy and onnxruntime and little else."""
    for python in filter(None, OLD):
        if _works(python, "import sys, numpy, onnxruntime; sys.exit(sys.version_info[:2] != (3, 9))"):
            return python
    pytest.skip("no Python 3.9 with numpy and onnxruntime (HWNAS_PYTHON39)")


def bare_python() -> str:
    """Python 3.9 without numpy."""
    for python in BARE:
        if _works(python, "import sys; sys.exit(sys.version_info[:2] != (3, 9))") and not _works(
            python, "import numpy"
        ):
            return python
    pytest.skip("no Python 3.9 without numpy")


def local(python: str = sys.executable) -> str:
    """The address of a device that is another process here."""
    return f"local:?python={python}"


def _works(python: str, code: str) -> bool:
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False
