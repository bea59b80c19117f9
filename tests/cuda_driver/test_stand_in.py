"""Memory, streams, events, graphs and sessions under the real PyCUDA, on a stand-in of the CUDA driver.

They test the order and the arguments of the binding's calls, and that nothing leaks; they do not test CUDA or a GPU.
"""

from __future__ import annotations

import numpy as np
import pytest

from profilers.base import Samples, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, FingerprintMismatch, MeasurementFailed
from profilers.registry import get_profiler
from profilers.runtimes.tensorrt import build as trt_build
from profilers.runtimes.tensorrt import cuda
from profilers.runtimes.tensorrt import session as trt
from profilers.runtimes.tensorrt.manifest import BuiltEngine, RuntimeEnvironment, make_manifest
from profilers.timing.loop import time_sessions
from tests.cuda_driver.engine import SHAPE, TRT, CopyEngine
from tests.profilers import models

pytestmark = pytest.mark.cuda_stub


@pytest.fixture(autouse=True)
def nothing_leaks():
    before = cuda.gpu().free_bytes()
    yield
    assert cuda.gpu().free_bytes() == before, "device memory was not freed"


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def session(engine: CopyEngine | None = None, weights=None) -> trt.TrtSession:
    return trt.TrtSession(TRT, engine or CopyEngine(), None, weights)


def test_the_gpu_is_named_with_its_capability():
    status = cuda.gpu_status()
    assert status.available and int(status.version.split(".")[0]) >= 11
    assert (cuda.gpu().name, cuda.gpu().capability) == ("Stand-in GPU", "sm86")


def test_the_simulated_driver_refuses_what_it_does_not_have():
    import pycuda.driver

    with pytest.raises(pycuda.driver.Error, match="not supported"):
        pycuda.driver.module_from_buffer(b"kernel")


def test_a_buffer_keeps_what_was_uploaded():
    timed, buffer = cuda.TimedStream(), cuda.Buffer(SHAPE)
    buffer.upload(images(1), timed.stream)
    buffer.host[:] = 0  # the device has it
    found = buffer.download(timed.stream)
    buffer.host[:] = 0  # and the download is a copy
    assert np.array_equal(found, images(1))
    buffer.close()


def test_more_memory_than_there_is_is_an_error_of_pycuda():
    with pytest.raises(cuda.errors(), match="out of memory"):
        cuda.Buffer((1 << 29,))


def test_the_clock_advances_by_the_time_between_the_events():
    import time

    timed = cuda.TimedStream()
    started = time.perf_counter()
    timed.run(lambda: time.sleep(0.02))
    assert 0.02 <= timed.clock.wall() <= time.perf_counter() - started
    before = timed.clock.wall()
    time.sleep(0.02)  # between runs it stands still
    assert timed.clock.wall() == before


def test_outputs_follow_the_images_and_are_copies():
    with session() as s:
        first = s.infer(images(1))
        second = s.infer(images(2))
        assert np.array_equal(first, images(1)) and np.array_equal(second, images(2))
        assert s.input_shape == s.output_shape == SHAPE


def test_a_session_runs_as_a_cuda_graph_where_it_can():
    engine = CopyEngine()
    with session(engine) as s:
        assert s.graph is not None
        enqueued = engine.contexts[0].executed
        found = s.infer(images(3))
        assert engine.contexts[0].executed == enqueued  # the graph was launched, not the engine
        assert np.array_equal(found, images(3))


def test_a_session_that_cannot_be_captured_runs_directly():
    engine = CopyEngine(capturable=False)
    with session(engine) as s:
        assert s.graph is None
        enqueued = engine.contexts[0].executed
        assert np.array_equal(s.infer(images(4)), images(4))
        assert engine.contexts[0].executed == enqueued + 1


def test_a_failing_engine_is_a_failed_measurement():
    engine = CopyEngine(capturable=False)
    with session(engine) as s:
        engine.works = False
        with pytest.raises(MeasurementFailed, match="enqueue"):
            s.run()


def test_images_of_another_shape_are_refused():
    with session() as s, pytest.raises(BadInput, match="shape"):
        s.infer(np.zeros((1, 3, 4, 4), np.float32))


def test_closing_frees_at_once_and_twice_is_harmless():
    before = cuda.gpu().free_bytes()
    s = session()
    s.run()
    assert cuda.gpu().free_bytes() < before
    s.close()
    s.close()
    assert cuda.gpu().free_bytes() == before


def test_the_timing_loop_reads_the_events():
    plan = TimingPlan(min_rounds=3, max_rounds=5, warmup_runs=2)
    short, long = CopyEngine(0.002, capturable=False), CopyEngine(0.02, capturable=False)
    with session(short) as a, session(long) as b, session(short) as beat:
        results = time_sessions({"short": a, "long": b, "beat": beat}, plan)
    assert all(isinstance(r, Samples) and r.clock == "wall" and r.rejected == 0 for r in results.values())
    assert (results["short"].blocks >= 2).all() and (results["long"].blocks >= 20).all()
    assert results["short"].ms < results["long"].ms


def test_a_traced_session_reports_onnx_nodes():
    layers = [
        {"Name": "Reformatting CopyNode", "Metadata": "", "ms": 0.1},
        {"Name": "L00_conv + PWN(L00_act)", "Metadata": "[ONNX Layer: L00_conv]\x1f[ONNX Layer: L00_act]", "ms": 0.8},
        {"Name": "L01_conv", "Metadata": "[ONNX Layer: L01_conv]", "ms": 0.4},
    ]
    with session(CopyEngine(layers=layers), {"L00_conv": 8.0, "L00_act": 1.0, "L01_conv": 8.0}) as s:
        assert s.graph is None  # a graph would report nothing
        for runs in (2, 1):
            for _ in range(runs):
                s.run()
            found = s.node_times()
            assert len(found) == runs
            assert found[0] == pytest.approx({"L00_conv": 0.8, "L00_act": 0.1, "L01_conv": 0.4})


def test_an_untraced_session_has_no_node_times():
    with session() as s, pytest.raises(EngineUnavailable):
        s.node_times()


def built(**changes) -> BuiltEngine:
    here = RuntimeEnvironment("tensorrt-rtx", get_profiler("tensorrt-rtx").status().version)
    facts = {
        "precision": "fp32", "tf32": False, "batch": 2, "optimization": "", "flags": [], "inputs": [], "outputs": [],
        "build_seconds": 1.0,
    }  # fmt: skip
    manifest = make_manifest(b"engine", b"onnx", here, ("sm86",), **facts)
    return BuiltEngine(b"engine", {**manifest, **changes})


@pytest.fixture
def deserialised(monkeypatch) -> list[bytes]:
    pytest.importorskip("tensorrt_rtx")
    found: list[bytes] = []
    monkeypatch.setattr(trt, "open_session", lambda product, data: found.append(data))
    return found


def test_an_engine_for_this_gpu_is_deserialised(deserialised):
    get_profiler("tensorrt-rtx").load_engine(built())
    assert deserialised == [b"engine"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "0.9"}, "version: "),
        ({"targets": ["sm89"]}, "capability: sm86 here, sm89 there"),
        ({"gpu": "Titan Xp"}, "gpu: Stand-in GPU here, Titan Xp there"),
        ({"runtime": "tensorrt"}, "runtime: tensorrt-rtx here, tensorrt there"),
    ],
)
def test_an_engine_of_another_machine_is_refused_unread(deserialised, changes, field):
    with pytest.raises(FingerprintMismatch, match=field):
        get_profiler("tensorrt-rtx").load_engine(built(**changes))
    assert deserialised == []


def test_a_changed_engine_is_refused_unread(deserialised):
    with pytest.raises(BadInput, match="SHA-256"):
        get_profiler("tensorrt-rtx").load_engine(BuiltEngine(b"changed", built().manifest))
    assert deserialised == []


def test_without_a_target_the_gpu_at_hand_is_built_for():
    pytest.importorskip("tensorrt_rtx")
    found = trt_build.build(trt_build.TENSORRT_RTX, models.chain(), trt_build.Settings(batch=1))
    assert found.manifest["targets"] == ["sm86"] and found.manifest["gpu"] == ""


def test_a_runtime_that_cannot_use_the_driver_says_so_in_one_line():
    pytest.importorskip("tensorrt_rtx")
    with pytest.raises(EngineUnavailable, match="cannot use a GPU") as caught:
        get_profiler("tensorrt-rtx").load(models.chain())
    assert "\n" not in str(caught.value)
