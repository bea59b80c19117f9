"""The contract suite over every registered runtime, and what it has not; a new runtime adds nothing here."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from hwnas.testing import check_runtime
from profilers.base import Options, Profiler, Samples, Tensor, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, HwnasError
from profilers.registry import PROFILERS, get_profiler
from profilers.session import default_feeds
from profilers.timing.loop import time_sessions
from profilers.timing.pinning import pin
from tests.profilers import models

# Nothing is rejected: these tests are about the runtimes, and must pass on a busy machine.
PLAN = TimingPlan(min_rounds=3, max_rounds=8, warmup_runs=2, max_wall_over_cpu=1e9)


@pytest.fixture(params=PROFILERS)
def profiler(request) -> Profiler:
    profiler = get_profiler(request.param)
    status = profiler.status()
    if not status.available:
        pytest.skip(f"{status.reason}; {status.remedy}")
    return profiler


def refused(profiler: Profiler, model, options: Options | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        profiler.load(model, options)
    text = str(caught.value)
    assert text and "\n" not in text
    return text


def reference(model: bytes, images: np.ndarray) -> np.ndarray:
    return ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"input": images})[0]


def images_for(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROFILERS)
def test_the_contract(name):
    try:
        check_runtime(name)
    except EngineUnavailable as error:
        assert not get_profiler(name).status().available
        pytest.skip(str(error))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dynamic", [False, True])
def test_outputs_agree_with_the_reference(profiler, batch, dynamic):
    model, _ = models.tiny(batch=None if dynamic else batch)
    with profiler.load(model, Options(batch=batch)) as session:
        images = images_for(session.input_shape)
        expected = reference(model, images)
        found = session.infer(images)
        assert session.input_shape[0] == session.output_shape[0] == batch
        assert found.shape == session.output_shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("make", [models.text_input, models.dynamic_size])
def test_a_model_of_another_form_is_refused(profiler, make):
    refused(profiler, make())


@pytest.mark.parametrize("make", [models.two_inputs, models.integer_input, models.tokens])
def test_any_inputs_and_outputs_agree_with_the_reference(profiler, make):
    model, rng = make(), np.random.default_rng(3)
    if profiler.own_onnx and make != models.two_inputs:
        assert "that hwnas did not write" in refused(profiler, model)
        return
    proto = onnx.load_from_string(model)
    with profiler.load(model) as session:
        assert list(session.inputs) == [t.name for t in proto.graph.input]
        assert list(session.outputs) == [t.name for t in proto.graph.output]
        for feeds in (default_feeds(session.inputs), {n: drawn(t, rng) for n, t in session.inputs.items()}):
            found = session.run_on(feeds)
            expected = dict(zip(session.outputs, ReferenceEvaluator(proto).run(None, feeds), strict=True))
            assert {n: Tensor(v.shape, str(v.dtype)) for n, v in found.items()} == session.outputs
            assert all(np.allclose(found[name], expected[name], atol=1e-4) for name in expected)
        kept = {name: values.copy() for name, values in found.items()}
        session.run_on(default_feeds(session.inputs))
        assert all(np.array_equal(found[name], kept[name]) for name in kept)  # they are copies


def drawn(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    whole = rng.integers(0, 2 if tensor.dtype == "bool" else 10, tensor.shape)
    return rng.standard_normal(tensor.shape, np.float32) if tensor.dtype == "float32" else whole.astype(tensor.dtype)


def test_images_are_only_for_one_float_input(profiler):
    if profiler.own_onnx:
        pytest.skip(f"{profiler.name} takes no ONNX with other inputs")
    with profiler.load(models.tokens()) as session:
        with pytest.raises(BadInput, match=r"2 inputs \(tokens, mask\); allowed: one float32 input"):
            session.infer(np.zeros((1, 5), np.float32))
        with pytest.raises(BadInput, match="2 outputs"):
            _ = session.output_shape
    with profiler.load(models.integer_input()) as session, pytest.raises(BadInput, match="input a of type int32"):
        _ = session.input_shape


def test_traced_nodes_are_those_of_the_onnx_and_say_what_was_fused(profiler):
    if not profiler.traces:
        pytest.skip(f"{profiler.name} has no per-node times")
    model = models.tiny()[0] if profiler.own_onnx else models.tokens()
    nodes = [node.name for node in onnx.load_from_string(model).graph.node]
    with profiler.load(model, traced=True) as session:
        session.run()
        (times,) = session.node_times()
        details = session.node_details()
    assert set(times) == set(details) <= set(nodes)
    behind = [node for detail in details.values() for node in detail.nodes]
    assert sorted(behind) == sorted(nodes)  # each in one place
    assert all(name in detail.nodes and detail.op for name, detail in details.items())


def test_images_of_another_shape_are_refused(profiler):
    with profiler.load(models.chain()) as session, pytest.raises(BadInput, match="shape"):
        session.infer(np.zeros((1, 3, 5, 5), np.float32))


def test_node_times_cover_every_layer_and_add_up_to_no_more_than_the_runs(profiler):
    if not profiler.traces:
        pytest.skip(f"{profiler.name} has no per-node times")
    model, layers = models.tiny()
    with profiler.load(model, traced=True) as session:
        for runs in (5, 3):  # and again: tracing goes on after it was read
            start = session.clock.wall()
            for _ in range(runs):
                session.run()
            elapsed = 1e3 * (session.clock.wall() - start)
            times = session.node_times()
            assert len(times) == runs
            assert all({int(name[1:3]) for name in run} == set(range(layers)) for run in times)
            rounding = 0.01 * sum(map(len, times))  # counters are whole microseconds, of several runs together
            assert 0 < sum(sum(run.values()) for run in times) <= 1.01 * elapsed + rounding


def test_quantised_models_run_and_keep_their_layer_names(profiler, tmp_path):
    if "int8" not in profiler.supported_precisions():
        pytest.skip(f"{profiler.name} has no int8 here")
    model, layers = quantised(tmp_path)
    with profiler.load(model, Options(precision="int8"), traced=profiler.traces) as session:
        images = images_for(session.input_shape)
        expected = reference(models.chain(), images)
        assert np.abs(session.infer(images) - expected).max() <= 0.1 * np.abs(expected).max()
        session.run()
        names = {name for run in session.node_times() for name in run}
        assert {int(n[1:3]) for n in names if n.startswith("L")} == set(range(layers))


def quantised(folder) -> tuple[bytes, int]:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter([{"input": images_for((1, 3, 12, 12), s)} for s in range(4)])

        def get_next(self):
            return next(self.batches, None)

    source, target = folder / "fp32.onnx", folder / "int8.onnx"
    source.write_bytes(models.chain())
    quantize_static(source, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True)
    return target.read_bytes(), 2


def test_the_timing_loop_times_it(profiler):
    with pin(1), profiler.load(models.chain()) as small, profiler.load(models.chain(channels=64, size=48)) as large:
        results = time_sessions({"small": small, "large": large}, PLAN)
    assert all(isinstance(s, Samples) for s in results.values()), results
    assert 0 < results["small"].ms < results["large"].ms  # 500 times the work


@pytest.mark.two_cores
def test_two_threads_give_the_same_outputs(profiler):
    with profiler.load(models.chain(), Options(threads=2)) as two, profiler.load(models.chain()) as one:
        images = images_for(one.input_shape)
        assert np.allclose(one.infer(images), two.infer(images), atol=1e-5)


def test_values_that_a_model_does_not_know_are_one_line(profiler):
    if profiler.own_onnx:
        pytest.skip(f"{profiler.name} takes no ONNX with other inputs")
    with profiler.load(models.tokens()) as session:
        feeds = {**default_feeds(session.inputs), "tokens": np.full((1, 5), 1000, np.int64)}
        try:
            session.run_on(feeds)  # OpenVINO gives zeros for them
        except HwnasError as error:
            assert "\n" not in str(error)
