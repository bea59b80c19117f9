from __future__ import annotations

import subprocess
import sys

import pytest

from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import PROFILERS, get_profiler


def test_unknown_engine_names_the_known_ones():
    with pytest.raises(BadInput, match="onnxruntime, onnxruntime-cuda, openvino, fake"):
        get_profiler("tensorflow")


def test_profilers_are_registered_under_their_own_names():
    assert all(get_profiler(name).name == name for name in PROFILERS)


def test_the_simulated_device_says_that_it_is_one():
    assert get_profiler("fake").status().reason == "simulated, not a device"


def test_importing_the_registry_loads_no_runtime():
    code = "import sys, profilers.registry; print(*{'onnxruntime', 'openvino', 'onnx', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("field", ["threads", "batch"])
def test_options_refuse_less_than_one(field):
    with pytest.raises(BadInput, match=field):
        Options(**{field: 0})
