"""One session object for all measuring: pinning, library threads, and the loop; and the view from outside of it."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import threadpoolctl

from profilers.base import Options, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.registry import get_profiler
from profilers.runtimes.fake import Behaviour, Fake
from profilers.timing import plain_loop
from profilers.timing.estimator import summarise
from profilers.timing.fresh_process import fresh_process_missing, fresh_process_ms
from profilers.timing.measurement import CONTROL, MeasuredGroup, Measurement, at_one_speed, measuring
from tests.profilers.models import chain, tiny

SHORT = TimingPlan(min_rounds=5, max_rounds=5, warmup_runs=2, warmup_max_runs=2)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.slow
def test_threads_are_pinned_and_libraries_held_and_all_is_restored():
    import torch

    cores, threads, blas = os.sched_getaffinity(0), torch.get_num_threads(), blas_threads()
    with measuring(Options(threads=1)) as bench:
        assert os.sched_getaffinity(0) == set(bench.cores) and len(bench.cores) == 1
        assert torch.get_num_threads() == 1 and blas_threads() <= {1}
    assert (os.sched_getaffinity(0), torch.get_num_threads(), blas_threads()) == (cores, threads, blas)


def test_times_are_of_the_state_that_the_options_name():
    device = Fake(Behaviour(noise=0, cold_ms=0.5))
    session = device.load(tiny()[0])
    for _ in range(50):
        session.run()
    for state, ms in (("steady", session.ideal_ms), ("interrupted", session.ideal_ms + 0.5)):
        with measuring(Options(state=state)) as bench:
            found = bench.time({"a": session}, SHORT).measured["a"]
        assert found.state == state
        assert found.ms == pytest.approx(ms, rel=0.02)


def test_what_is_learnt_of_the_caches_is_kept_for_the_next_call():
    device = Fake(Behaviour(noise=0, cold_ms=0.5))
    sessions = {str(i): device.load(tiny(seed=i)[0]) for i in range(24)}
    with measuring(Options()) as bench:
        bench.learn({name: sessions[name] for name in ("0", "1", "2")}, SHORT)
        runs = sum(s.runs for s in sessions.values())
        assert bench.settling.known
        found = bench.time(sessions, SHORT).measured
    blocks = sum(5 * (m.samples.untimed + m.samples.timed) + 2 for m in found.values())
    assert sum(s.runs for s in sessions.values()) - runs == blocks


def test_a_state_that_a_gpu_has_not_is_refused():
    with pytest.raises(BadInput, match="state"):
        Options(state="hot")
    assert get_profiler("onnxruntime-cuda").device == "cuda"


@pytest.mark.slow
def test_a_plain_loop_in_a_fresh_process_runs_the_runtimes_own_api():
    small, large = (
        fresh_process_ms("onnxruntime", model, 1, "fp32", seconds=0.2)
        for model in (chain(), chain(channels=64, size=48))
    )
    assert 0 < 5 * small < large  # 500 times the work
    with pytest.raises(MeasurementFailed, match="plain loop of onnxruntime failed"):
        fresh_process_ms("onnxruntime", b"no model", 1, "fp32", seconds=0.1)


def test_where_there_is_no_plain_loop_the_reason_is_given():
    assert "fake" in fresh_process_missing(Fake(), Options())
    assert "interrupted" in fresh_process_missing(get_profiler("onnxruntime"), Options(state="interrupted"))
    assert fresh_process_missing(get_profiler("onnxruntime"), Options()) == ""


def test_a_loop_times_each_run_after_the_warm_up():
    calls: list[int] = []
    start = time.perf_counter()
    times = plain_loop.loop(lambda: calls.append(0), 0.01)
    assert len(calls) > len(times) > 0 and sum(times) < 1e3 * (time.perf_counter() - start)


def test_one_model_is_measured():
    with measuring(Options()) as bench, get_profiler("onnxruntime").load(chain()) as session:
        found = bench.time({"model": session}, SHORT).measured["model"]
    assert found.low <= found.ms <= found.high and len(found.blocks) == 5


def test_a_measurement_says_what_its_samples_say():
    blocks, drift = np.array([1.0, np.nan, 1.2, 2.2, 1.1]), np.array([1.0, 1.0, 1.0, 2.0, 1.0])
    samples = replace(summarise(blocks, drift, SHORT), clock="cpu", contended_fraction=0.25)
    found = Measurement.of("a", samples)
    assert (found.id, found.ms, found.low, found.high) == ("a", samples.ms, samples.low, samples.high)
    assert (found.clock, found.state, found.estimator) == ("cpu", "steady", SHORT.estimator)
    assert found.contended_fraction == 0.25 and found.blocks == (1.0, None, 1.2, 1.1, 1.1) and found.rejected == 1
    assert (found.quantile(0.5), found.quantile(0.9)) == (samples.median, samples.p90)
    even, odd = found.halves()
    assert even == 1.1 and np.isnan(odd)  # one accepted block is too few


def group(controls, failed=None, **ms):
    return MeasuredGroup({k: Measurement(k, v, 0.9 * v, 1.1 * v) for k, v in ms.items()}, failed or {}, controls)


def test_drift_between_calls_is_divided_out():
    slow = 1.3
    groups = [group([1.0, 2.0], a=5.0), group([slow, 2 * slow], b=slow * 7.0), group([1.0, 2.0], c=6.0)]
    found = at_one_speed(groups, [1.0, 2.0])
    a, b, c = (next(iter(g.measured.values())) for g in found)
    assert [a.ms, b.ms, c.ms] == pytest.approx([5.0, 7.0, 6.0], rel=1e-6)
    assert (b.low, b.high) == pytest.approx((0.9 * 7.0, 1.1 * 7.0), rel=1e-6)


def test_where_too_much_failed_the_first_reason_is_given():
    some = group([], {"x": "out of memory", "y": "hung"}, a=1.0, b=1.0, c=1.0)
    some.require("networks")
    with pytest.raises(MeasurementFailed, match=r"networks: 2 models could not be timed \(x: out of memory\)"):
        group([], some.failed, a=1.0).require("networks")
    with pytest.raises(MeasurementFailed, match=r"an engine could not be timed \(x: out of memory\)"):
        some.require_all("an engine")


def test_control_models_are_timed_beside_and_told_apart():
    device, broken = Fake(Behaviour(noise=0)), Fake(Behaviour(fail_after=1))
    model = tiny()[0]
    controls = [partial(device.load, model), partial(broken.load, model)]
    with measuring(Options(), controls) as bench, bench.loaded({"a": partial(device.load, model)}) as sessions:
        found = bench.time(sessions, SHORT)
        alone = bench.time({"a": sessions["a"]}, SHORT)
    assert list(found.measured) == ["a"] and list(found.failed) == [f"{CONTROL}-1"]
    assert found.controls_ms == [pytest.approx(found.measured["a"].ms), 0.0] and found.blocks == 5
    assert alone.controls_ms == [0.0, 0.0] and alone.failed == {}


def test_the_timed_runs_of_a_block_can_be_limited_by_name():
    device = Fake(Behaviour(noise=0))
    sessions = {name: device.load(tiny()[0]) for name in ("free", "limited")}
    with measuring(Options()) as bench:
        found = bench.time(sessions, replace(SHORT, runs_per_block=5), most_runs={"limited": 2}).measured
    assert {name: m.samples.timed for name, m in found.items()} == {"free": 5, "limited": 2}
