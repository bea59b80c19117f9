"""For a machine with an NVIDIA GPU: `tools/test -m gpu`. What is printed is a report that can be sent."""

from __future__ import annotations

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from profilers.base import Options, Samples, TimingPlan
from profilers.registry import get_profiler
from profilers.runtimes.cuda import choice
from profilers.runtimes.tensorrt import build as trt_build
from profilers.runtimes.tensorrt.build import Settings
from profilers.runtimes.tensorrt.manifest import BuiltEngine, read_engine, write_engine
from profilers.timing.fingerprint import fingerprint, nvidia_gpu
from profilers.timing.loop import time_sessions
from tests.profilers import models

pytestmark = pytest.mark.gpu

ERROR = {"fp32": 1e-3, "tf32": 1e-2, "fp16": 2e-2, "bf16": 1e-1}  # of the largest logit
PLAN = TimingPlan(min_rounds=20, max_rounds=60, runs_per_block=3)


@pytest.fixture
def say(capsys):
    """Prints a line of the report, whether or not pytest shows what tests print."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return line


@pytest.fixture(params=["tensorrt", "tensorrt-rtx"])
def profiler(request):
    found = get_profiler(request.param)
    status = found.status()
    if not status.available:
        pytest.skip(f"{status.reason}; {status.remedy}")
    return found


def networks(batch: int) -> dict[str, bytes]:
    """Smallest, a middle one and largest of mbv3."""
    space = get_space("mbv3")
    small, large = space.extremes()
    middle = space.decode(space.sample(1, np.random.default_rng(0)))[0]
    named = {"smallest": small, "middle": middle, "largest": large}
    return {name: write_onnx(space.layers(arch), batch=batch) for name, arch in named.items()}


def test_the_machine(say):
    status = choice.gpu_status()
    if not status.available:
        say(f"no report: {status.reason}; {status.remedy}")
        pytest.skip(f"{status.reason}; {status.remedy}")
    gpu = choice.gpu()
    say(f"GPU {gpu.card.name}, {gpu.card.capability}, driver for CUDA {status.version}, by {gpu.name}; {nvidia_gpu()}")
    for name in ("tensorrt", "tensorrt-rtx"):
        say(f"{name}: {get_profiler(name).status()}")


@pytest.mark.parametrize("precision", ERROR)
def test_logits_agree_with_the_reference(profiler, precision, say):
    model, _ = models.tiny(batch=4)
    with profiler.load(model, Options(batch=4, precision=precision)) as session:
        images = np.random.default_rng(1).standard_normal(session.input_shape).astype(np.float32)
        expected = ReferenceEvaluator(model).run(None, {"input": images})[0]
        error = np.abs(session.infer(images) - expected).max() / np.abs(expected).max()
    say(f"{profiler.name} {precision}: largest error {error:.2e} of the largest logit")
    assert error <= ERROR[precision]


def test_batch_64_latencies(profiler, say):
    for precision in ("fp32", "tf32", "fp16"):
        sessions = {
            name: profiler.load(model, Options(batch=64, precision=precision)) for name, model in networks(64).items()
        }
        results = time_sessions(sessions, PLAN)
        for name, samples in results.items():
            assert isinstance(samples, Samples), samples
            graph = "CUDA graph" if sessions[name].graph else "no graph"
            say(
                f"{profiler.name} {precision} {name}: {samples.ms:.3f} ms ({samples.low:.3f} to {samples.high:.3f}), "
                f"{samples.rounds} rounds, {samples.rejected} rejected, {graph}"
            )
        assert results["smallest"].ms < results["largest"].ms
        for session in sessions.values():
            session.close()


def test_two_builds_differ_by(profiler, say):
    model = networks(64)["middle"]
    builds = [trt_build.build(profiler.product, model, Settings()) for _ in range(3)]
    sessions = {str(i): profiler.load_engine(built) for i, built in enumerate(builds)}
    results = time_sessions(sessions, PLAN)
    times = [samples.ms for samples in results.values()]
    say(f"{profiler.name}: three builds of one network {', '.join(f'{t:.3f}' for t in times)} ms")
    for session in sessions.values():
        session.close()
    assert max(times) < 2 * min(times)


def test_an_engine_goes_through_its_folder(profiler, tmp_path):
    model = models.chain()
    built = trt_build.build(profiler.product, model, Settings(batch=1))
    names = write_engine(tmp_path, built)
    with profiler.load_engine(read_engine(tmp_path / names[0])) as session, profiler.load(model) as other:
        images = np.random.default_rng(1).standard_normal(session.input_shape).astype(np.float32)
        assert np.allclose(session.infer(images), other.infer(images), atol=1e-4)


def test_a_damaged_engine_with_a_manifest_of_its_own_is_refused(profiler, say):
    """The hash fits, so TensorRT itself has to see it."""
    from profilers.errors import HwnasError
    from profilers.files import sha256

    built = trt_build.build(profiler.product, models.chain(), Settings(batch=1))
    data = built.data[: len(built.data) // 2]
    with pytest.raises(HwnasError) as caught:
        profiler.load_engine(BuiltEngine(data, {**built.manifest, "engine_sha256": sha256(data)}))
    say(f"{profiler.name}: {caught.value}")


def test_times_by_layer_add_up(profiler, say):
    if not profiler.traces:
        pytest.skip(f"{profiler.name} has no per-node times")
    model = networks(64)["middle"]
    with profiler.load(model, Options(batch=64), traced=True) as session:
        for _ in range(20):
            session.run()
        runs = session.node_times()
    layers = {int(name[1:3]) for run in runs for name in run}
    total = np.median([sum(run.values()) for run in runs])
    say(f"{profiler.name}: {len(layers)} layers traced, {total:.3f} ms in all")
    assert layers == set(range(max(layers) + 1))


def test_the_timing_cache_speeds_up_the_second_build(tmp_path, say):
    profiler = get_profiler("tensorrt")
    if not profiler.status().available:
        pytest.skip(profiler.status().reason)
    settings = Settings(timing_cache=tmp_path / "kept.timing")
    seconds = [trt_build.build(profiler.product, networks(64)["middle"], settings) for _ in range(2)]
    first, second = (built.manifest["build_seconds"] for built in seconds)
    say(f"tensorrt: first build {first:.1f} s, second {second:.1f} s with the timing cache")
    assert settings.timing_cache.stat().st_size > 0


def test_the_fingerprint_names_the_card(profiler, say):
    found = fingerprint(profiler, Options(batch=64))
    say(f"{profiler.name}: {found.identity()}")
    assert found.device == nvidia_gpu() != ""
