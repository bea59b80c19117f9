"""One session object for all measuring: pinning, library threads, and the loop; and the view from outside of it."""

from __future__ import annotations

import os
import time

import pytest
import threadpoolctl

from profilers.base import Options, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.registry import get_profiler
from profilers.runtimes.fake import Behaviour, Fake
from profilers.timing import plain_loop
from profilers.timing.fresh_process import fresh_process_missing, fresh_process_ms
from profilers.timing.measurement import measuring
from tests.profilers.models import chain, tiny

SHORT = TimingPlan(min_rounds=5, max_rounds=5, warmup_runs=2, warmup_max_runs=2)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


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


def test_a_plain_loop_in_a_fresh_process_runs_the_runtimes_own_api():
    small, large = (
        fresh_process_ms("onnxruntime", model, Options(), seconds=0.2)
        for model in (chain(), chain(channels=64, size=48))
    )
    assert 0 < 5 * small < large  # 500 times the work
    with pytest.raises(MeasurementFailed, match="plain loop of onnxruntime failed"):
        fresh_process_ms("onnxruntime", b"no model", Options(), seconds=0.1)


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
