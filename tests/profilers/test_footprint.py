from __future__ import annotations

import time

import pytest

from profilers.base import Options
from profilers.errors import BadInput
from profilers.footprint import fresh_footprint
from profilers.timing.footprint import memory
from tests.profilers.models import chain


@pytest.mark.slow
def test_a_fresh_process_loads_runs_and_is_measured(tmp_path):
    (tmp_path / "m.onnx").write_bytes(chain())
    start = time.perf_counter()
    found = fresh_footprint("onnxruntime", tmp_path / "m.onnx", Options(), seconds=60)
    elapsed = 1e3 * (time.perf_counter() - start)
    assert found.load_ms > 0 and found.first_run_ms > 0 and found.load_ms + found.first_run_ms < elapsed
    if found.peak_mb is not None:
        assert 10 < found.before_mb <= found.peak_mb
        ballast = bytearray(200_000_000)  # the parent's memory is not the child's
        again = fresh_footprint("onnxruntime", tmp_path / "m.onnx", Options(), seconds=60)
        assert again.peak_mb < found.peak_mb + 100 and len(ballast) == 200_000_000


def test_a_model_that_is_refused_says_so(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(BadInput, match="refuses the model"):
        fresh_footprint("onnxruntime", tmp_path / "m.onnx", Options(), seconds=60)


def test_memory_of_this_process():
    resident, peak = memory("VmRSS"), memory("VmHWM")
    assert (resident is None) == (peak is None) and memory("VmNothing") is None
    assert peak is None or peak >= 1
