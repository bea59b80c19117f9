"""The tests of tests/cuda_driver, in the process of their own that they need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[3] / "cuda_driver" / "run.sh"


def cached() -> bool:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwnas"
    return any(
        Path(os.environ.get("HWNAS_CACHE", home)).glob(f"pycuda-*-cp{sys.version_info[0]}{sys.version_info[1]}-*")
    )


def test_gpu_code_runs_under_pycuda_on_a_stand_in_of_the_driver():
    toolkit = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")) / "include" / "cuda.h"
    if not toolkit.is_file():
        pytest.skip(f"no CUDA toolkit: {toolkit} is missing")
    if not cached() and os.environ.get("HWNAS_CUDA_STUB") != "1":
        pytest.skip("PyCUDA is not built yet, which takes two minutes: HWNAS_CUDA_STUB=1")
    environment = {**os.environ, "PYTHON": sys.executable, "PYTEST_ADDOPTS": ""}
    done = subprocess.run([str(SCRIPT)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 20, done.stdout
