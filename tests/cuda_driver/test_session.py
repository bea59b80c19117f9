"""TensorRT's session on both packages for CUDA, each on its stand-in, with an engine that copies."""

from __future__ import annotations

import numpy as np
import pytest

from profilers.base import Samples, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from profilers.runtimes.tensorrt import session as trt
from profilers.timing.loop import time_sessions
from tests.cuda_driver.engine import SHAPE, TRT, CopyEngine


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def session(engine: CopyEngine, weights=None) -> trt.TrtSession:
    return trt.TrtSession(TRT, engine, None, weights)


def test_outputs_follow_the_images_and_are_copies(work):
    with session(CopyEngine(work)) as s:
        first = s.infer(images(1))
        second = s.infer(images(2))
        assert np.array_equal(first, images(1)) and np.array_equal(second, images(2))
        assert s.input_shape == s.output_shape == SHAPE


def test_a_session_runs_as_a_cuda_graph_where_it_can(work):
    engine = CopyEngine(work)
    with session(engine) as s:
        assert s.graph is not None
        enqueued = engine.contexts[0].executed
        found = s.infer(images(3))
        assert engine.contexts[0].executed == enqueued  # the graph was launched, not the engine
        assert np.array_equal(found, images(3))


def test_a_session_that_cannot_be_captured_runs_directly(work):
    engine = CopyEngine(work, capturable=False)
    with session(engine) as s:
        assert s.graph is None
        enqueued = engine.contexts[0].executed
        assert np.array_equal(s.infer(images(4)), images(4))
        assert engine.contexts[0].executed == enqueued + 1


def test_a_failing_engine_is_a_failed_measurement(work):
    engine = CopyEngine(work, capturable=False)
    with session(engine) as s:
        engine.works = False
        with pytest.raises(MeasurementFailed, match="enqueue"):
            s.run()


def test_images_of_another_shape_are_refused(work):
    with session(CopyEngine(work)) as s, pytest.raises(BadInput, match="shape"):
        s.infer(np.zeros((1, 3, 4, 4), np.float32))


def test_closing_frees_at_once_and_twice_is_harmless(backend, work):
    before = backend.free_bytes()
    s = session(CopyEngine(work))
    s.run()
    assert backend.free_bytes() < before
    s.close()
    s.close()
    assert backend.free_bytes() == before


def test_the_timing_loop_reads_the_events(work):
    plan = TimingPlan(min_rounds=3, max_rounds=5, warmup_runs=2)
    short, long = CopyEngine(work, 0.002, capturable=False), CopyEngine(work, 0.02, capturable=False)
    with session(short) as a, session(long) as b, session(short) as beat:
        results = time_sessions({"short": a, "long": b, "beat": beat}, plan)
    assert all(isinstance(r, Samples) and r.clock == "wall" and r.rejected == 0 for r in results.values())
    assert (results["short"].blocks >= 2).all() and (results["long"].blocks >= 20).all()
    assert results["short"].ms < results["long"].ms


def test_a_traced_session_reports_onnx_nodes(work):
    layers = [
        {"Name": "Reformatting CopyNode", "Metadata": "", "ms": 0.1},
        {"Name": "L00_conv + PWN(L00_act)", "Metadata": "[ONNX Layer: L00_conv]\x1f[ONNX Layer: L00_act]", "ms": 0.8},
        {"Name": "L01_conv", "Metadata": "[ONNX Layer: L01_conv]", "ms": 0.4},
    ]
    with session(CopyEngine(work, layers=layers), {"L00_conv": 8.0, "L00_act": 1.0, "L01_conv": 8.0}) as s:
        assert s.graph is None  # a graph would report nothing
        for runs in (2, 1):
            for _ in range(runs):
                s.run()
            found = s.node_times()
            assert len(found) == runs
            assert found[0] == pytest.approx({"L00_conv": 0.8, "L00_act": 0.1, "L01_conv": 0.4})


def test_an_untraced_session_has_no_node_times(work):
    with session(CopyEngine(work)) as s, pytest.raises(EngineUnavailable):
        s.node_times()
