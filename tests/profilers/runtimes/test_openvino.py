"""How OpenVINO's counters are read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from profilers.onnx.fusion import NodeNames
from profilers.onnx.nodes import read_nodes
from profilers.runtimes import openvino as ov
from tests.profilers.models import chain


def info(name: str, kind: str, microseconds: float, implementation: str = "jit_avx2_f32") -> SimpleNamespace:
    time = SimpleNamespace(total_seconds=lambda: microseconds / 1e6)
    return SimpleNamespace(node_name=name, node_type=kind, real_time=time, exec_type=implementation)


def test_reorders_and_the_output_find_their_layers():
    infos = [
        info("input", "Parameter", 5, "unknown_f32"),
        info("input_abcd_acdb_L00_conv", "Reorder", 10),
        info("L00_conv/WithoutBiases", "Convolution", 100),
        info("L00_act", "Relu", 0, "undef"),
        info("L01_pool", "ReduceMean", 0),
        info("L01_pool_acdb_abcd_L01_flatten", "Reorder", 0, "reorder_f32"),
        info("Subtract_1406", "Subgraph", 7),
        info("logits", "FullyConnected", 20),
        info("logits_acdb_abcd", "Reorder", 3),
    ]
    names = {"L00_conv": "L00_conv", "L01_pool": "L01_pool", "logits": "L01_linear"}
    found = ov.parse_counters(infos, names)
    half = 0.0005
    assert found == pytest.approx({"L00_conv": 0.110 + 2 * half, "L01_pool": half, "L01_linear": 0.030 + 3 * half})


def test_a_node_that_openvino_names_itself_is_that_of_the_last_onnx_node_in_it():
    graph = NodeNames(read_nodes(chain()).node)
    original = {
        "Multiply_7": ["Multiply_7", "L00_conv", "L00_act"], "L00_conv": ["L00_conv", "L00_act"],
        "L01_conv/WithoutBiases": ["L01_conv", "L00_act"], "Constant_3": ["Constant_3"],
    }  # fmt: skip
    assert ov.renamed(original, graph) == {"Multiply_7": "L00_act"}


def test_running_averages_are_subtracted_to_a_windows_mean():
    rng = np.random.default_rng(0)
    runs = rng.uniform(0.09, 0.11, 30)
    averages = {n: {"L00_conv": runs[:n].mean()} for n in (10, 18)}
    assert ov.window_mean(averages[10], 10, averages[18], 18)["L00_conv"] == pytest.approx(runs[10:18].mean())
    assert ov.window_mean({"a": 1.0}, 10, {"a": 0.1}, 18) == {"a": 0.0}  # truncation may leave less than nothing


CLOSED_IN_ORDER = """
import signal
from pathlib import Path
from profilers.base import Options
from profilers.registry import get_profiler
from profilers.timing.plain_loop import load_openvino
from tests.profilers import models

sessions = [get_profiler("openvino").load(models.chain(), Options()) for _ in range(3)]
get_profiler("openvino").compile(models.chain(), Options(), (), Path())
calls = [load_openvino("model.xml", 1) for _ in range(2)]
while sessions:
    sessions.pop(0).close()
while calls:
    calls.pop(0)
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


FIRST_ON_ONE_CORE = """
from profilers.base import Options
from profilers.registry import get_profiler
from profilers.timing.pinning import pin
from tests.profilers import models

with pin(1):
    get_profiler("openvino").load(models.chain(), Options()).close()
session = get_profiler("openvino").load(models.chain(), Options(threads=2))
print(session.compiled.get_property("INFERENCE_NUM_THREADS"))
"""


@pytest.mark.slow
def test_an_interruption_after_sessions_that_were_closed_is_no_fault(tmp_path):
    """OpenVINO changes where this process takes signals; a fault there could not even be reported."""
    assert printed(CLOSED_IN_ORDER, tmp_path) == "interrupted\n"


@pytest.mark.slow
@pytest.mark.two_cores
def test_a_model_on_one_core_leaves_later_ones_their_threads(tmp_path):
    """OpenVINO counts cores once for the process."""
    assert printed(FIRST_ON_ONE_CORE, tmp_path) == "2\n"


def printed(program: str, folder: Path) -> str:
    """What a process of its own says that ended well."""
    pytest.importorskip("openvino")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    command = [sys.executable, "-X", "faulthandler", "-c", program]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
