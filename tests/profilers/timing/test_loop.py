"""The timing loop on simulated clocks: no test here waits or depends on this machine."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.base import Failure, Samples, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.runtimes.fake import Behaviour, Fake, FakeClock
from profilers.timing.estimator import accepted, bootstrap_interval, summarise, undisturbed
from profilers.timing.loop import time_sessions
from tests.profilers.models import Scripted, chain, tiny

MODELS = {"small": chain(), "large": tiny()[0], "other": tiny(seed=1)[0]}
PLAN = TimingPlan(min_rounds=10, max_rounds=40, untimed_runs=1, block_ms=0)
FIXED = replace(PLAN, min_rounds=40)


def several(behaviour: Behaviour) -> dict:
    """A small, a large and another network on one simulated device."""
    device = Fake(behaviour)
    return {name: device.load(model) for name, model in MODELS.items()}


def scripted(clock: FakeClock, ms: float, **more) -> Scripted:
    return Scripted(clock, lambda n: ms / 1e3, **more)


def spiking(clock: FakeClock, ms: float, spikes: set[int], factor: float = 1.2) -> Scripted:
    return Scripted(clock, lambda n: ms / 1e3 * (factor if n in spikes else 1))


def test_a_quiet_device_is_measured_exactly():
    sessions = several(Behaviour(noise=0))
    results = time_sessions(sessions, PLAN)
    for name, samples in results.items():
        assert samples.ms == pytest.approx(sessions[name].ideal_ms, rel=1e-9)
        assert samples.low == pytest.approx(samples.high) and samples.converged
        assert samples.rounds == PLAN.min_rounds and samples.rejected == 0 and samples.clock == "wall"


def test_the_estimate_is_of_the_quick_moments_and_says_so():
    sessions = {"alone": several(Behaviour(noise=0.1))["large"]}
    samples = time_sessions(sessions, replace(FIXED, min_rounds=400, max_rounds=400))["alone"]
    ideal = sessions["alone"].ideal_ms
    assert samples.low <= samples.ms == samples.median <= samples.high < samples.p90
    assert samples.ms == pytest.approx(1.006 * ideal, rel=0.01)  # the 5 % quantile of |N(0, 0.1)|
    assert samples.estimator == PLAN.estimator and "quick moments" in samples.estimator and samples.state == "steady"


@pytest.mark.parametrize("slow_share", [0.2, 0.5, 0.8])
def test_how_often_others_compute_on_the_core_does_not_change_the_estimate(slow_share):
    """They come and go within some runs; alone and by turns the same time is found."""
    clock = FakeClock()

    def session(ms):
        return Scripted(clock, lambda n: ms / 1e3 * (1.6 if clock.wall() % 0.3 < 0.3 * slow_share else 1.0))

    plan = replace(FIXED, min_rounds=60, max_rounds=60)
    several = {str(ms): session(ms) for ms in (2, 3, 5, 7)}
    found = time_sessions(several, plan)
    for ms, samples in found.items():
        assert samples.ms == pytest.approx(float(ms), rel=0.03)
    alone = time_sessions({"a": session(3)}, replace(plan, max_rounds=600, least_seconds=3))["a"]
    assert alone.ms == pytest.approx(3, rel=0.03)


def test_slow_drift_is_divided_out():
    sessions = several(drifting := Behaviour(noise=0.002, drift=0.15))
    a_round = 2 * sum(s.ideal_ms for s in sessions.values())
    drifting.drift_seconds = 20 * a_round / 1e3
    for samples in time_sessions(sessions, FIXED).values():
        assert np.nanstd(samples.blocks) / samples.ms > 0.05
        assert np.nanstd(samples.blocks / samples.drift) < 0.4 * np.nanstd(samples.blocks)
        assert np.quantile(samples.drift, 0.05) == pytest.approx(1, abs=0.03)


def test_descheduled_blocks_are_rejected_and_counted():
    sessions = several(Behaviour(noise=0.005, stolen=0.3))
    for name, samples in time_sessions(sessions, FIXED).items():
        assert samples.clock == "wall"
        assert 0 < samples.rejected == np.isnan(samples.blocks).sum() < FIXED.max_rounds
        assert samples.p90 < 1.1 * sessions[name].ideal_ms  # a descheduled run takes three times as long


def test_a_busy_machine_is_timed_by_cpu_time_and_says_so():
    sessions = several(Behaviour(noise=0.005, stolen=0.9))
    for name, samples in time_sessions(sessions, FIXED).items():
        assert samples.clock == "cpu"
        assert samples.ms == pytest.approx(sessions[name].ideal_ms, rel=0.03)


def test_a_busy_machine_gives_no_answer_where_cpu_time_is_not_wanted():
    sessions = several(Behaviour(stolen=1.0))
    results = time_sessions(sessions, replace(FIXED, cpu_time_when_busy=False))
    assert all(isinstance(r, Failure) and "blocks were accepted" in r.reason for r in results.values())


def test_a_machine_that_never_rests_is_measured_all_the_same():
    clock = FakeClock()
    noisy = np.random.default_rng(0).uniform(0.7, 1.4, 1000)
    samples = time_sessions({"a": Scripted(clock, lambda n: 3e-3 * noisy[n])}, FIXED)["a"]
    assert samples.rejected == 0 and not samples.converged
    assert samples.ms == pytest.approx(3 * np.quantile(noisy, 0.05), rel=0.1) and samples.high / samples.low > 1.02


def test_few_quiet_blocks_are_made_up_for_by_cpu_time():
    wall, cpu = np.array([1.0, 3.0, 1.0, 3.0]), np.ones(4)  # half of the blocks are quiet, but two are no measurement
    kept, clock = accepted(wall, cpu, 1, PLAN)
    assert clock == "cpu" and kept.tolist() == [1.0] * 4


def test_too_few_blocks_are_not_taken_for_convergence():
    sessions = several(Behaviour(stolen=1.0))
    plan = replace(PLAN, cpu_time_when_busy=False)
    time_sessions(sessions, plan)
    assert sessions["small"].runs > 2 * plan.max_rounds


def test_blocks_that_are_off_for_once_disturb_nothing():
    clock = FakeClock()
    timed_run_of_round = {r: FIXED.warmup_runs + 2 * r + 1 for r in range(FIXED.max_rounds)}
    sessions = {"a": spiking(clock, 1, {timed_run_of_round[7], timed_run_of_round[20]})}
    sessions |= {"b": scripted(clock, 3), "c": scripted(clock, 4)}
    for ms, samples in zip((1, 3, 4), time_sessions(sessions, FIXED).values(), strict=True):
        assert samples.rejected == 0 and samples.drift == pytest.approx(1) and samples.p90 == pytest.approx(ms)


def test_steps_of_the_machines_speed_are_divided_out():
    """Slow and quick by turns, faster than rounds: two thirds of the time quick."""
    clock = FakeClock()
    speed = lambda: 1.16 if int(clock.wall() / 0.17) % 3 == 0 else 1.0  # noqa: E731
    sessions = {str(ms): Scripted(clock, lambda n, ms=ms: ms * speed() / 1e3) for ms in range(5, 12)}
    for ms, samples in time_sessions(sessions, FIXED).items():
        assert samples.ms == pytest.approx(float(ms), rel=0.005) and samples.median == pytest.approx(
            float(ms), rel=0.01
        )


def test_the_untimed_runs_of_a_block_are_not_timed():
    clock = FakeClock()
    cold = Scripted(clock, lambda n: 0.1 if n >= PLAN.warmup_runs and (n - PLAN.warmup_runs) % 3 == 0 else 0.001)
    samples = time_sessions({"a": cold}, replace(PLAN, runs_per_block=2))["a"]
    assert samples.ms == pytest.approx(1) and samples.p90 == pytest.approx(1)
    assert (samples.untimed, samples.timed) == (1, 2)


def test_blocks_of_fast_models_are_longer():
    clock = FakeClock()
    sessions = {"fast": scripted(clock, 0.1), "slow": scripted(clock, 10)}
    plan = replace(PLAN, block_ms=0.5, min_rounds=10, max_rounds=10)
    found = time_sessions(sessions, plan)
    assert found["fast"].timed == 5 and sessions["fast"].runs == PLAN.warmup_runs + 10 * (1 + 5)
    assert found["slow"].timed == 1 and sessions["slow"].runs == PLAN.warmup_runs + 10 * (1 + 1)


def cold_device(cold_ms: float, warm_runs: float = 3.0, noise: float = 0.0) -> Fake:
    return Fake(Behaviour(noise=noise, cold_ms=cold_ms, warm_runs=warm_runs))


def test_steady_times_by_turns_are_those_back_to_back():
    """A run right after another model's pays .2 ms here, which is several times the smallest one's."""
    device = cold_device(0.2, noise=0.01)
    sessions = {name: device.load(model) for name, model in MODELS.items()}
    by_turns = time_sessions(sessions, TimingPlan(min_rounds=20, max_rounds=20))
    short = time_sessions(sessions, TimingPlan(min_rounds=20, max_rounds=20, untimed_runs=1))
    for name, session in sessions.items():
        alone = time_sessions({name: session}, TimingPlan(min_rounds=20, max_rounds=20))[name].ms
        assert by_turns[name].ms == pytest.approx(alone, rel=0.015)
        assert np.median(short[name].blocks) > 1.2 * alone  # what one untimed run gives


def test_a_machine_without_caches_needs_few_untimed_runs():
    device = cold_device(0.0, noise=0.01)
    sessions = {name: device.load(model) for name, model in MODELS.items()}
    assert all(s.untimed <= 2 for s in time_sessions(sessions, TimingPlan()).values())


def test_interrupted_runs_all_pay_for_cold_caches():
    device = cold_device(0.2)
    session = device.load(MODELS["large"])
    steady, interrupted = (
        time_sessions({"a": session}, TimingPlan(state=state, min_rounds=5))["a"] for state in ("steady", "interrupted")
    )
    assert steady.ms == pytest.approx(session.ideal_ms, rel=0.01)
    assert interrupted.ms == pytest.approx(session.ideal_ms + 0.2, rel=1e-6) and interrupted.state == "interrupted"


def test_the_runs_of_a_block_can_be_limited_by_model():
    clock = FakeClock()
    sessions = {"all": scripted(clock, 1), "few": scripted(clock, 2)}
    plan = replace(PLAN, runs_per_block=10, max_rounds=10, warmup_runs=1)
    results = time_sessions(sessions, plan, most_runs={"few": 3})
    assert results["few"].ms == pytest.approx(2) and sessions["all"].runs - sessions["few"].runs == 7 * plan.max_rounds


def test_warm_up_goes_on_until_times_no_longer_fall():
    clock = FakeClock()
    falling = Scripted(clock, lambda n: 1e-3 * (1 + max(0, 20 - n)))
    samples = time_sessions({"a": falling}, PLAN)["a"]
    assert samples.p90 == pytest.approx(1)
    forever = Scripted(clock, lambda n: 1e-3 * 0.9**n)
    time_sessions({"a": forever}, PLAN)
    assert forever.runs <= PLAN.warmup_max_runs + 2 * PLAN.max_rounds


def test_each_round_runs_every_session_once_in_a_new_order():
    clock, log = FakeClock(), []
    sessions = {name: scripted(clock, 1, log=log, name=name) for name in "abcde"}
    time_sessions(sessions, replace(PLAN, min_rounds=12, max_rounds=12, warmup_runs=1))
    rounds = ["".join(log[i : i + 10]) for i in range(5, len(log), 10)]
    assert len(rounds) == 12
    assert all(Counter(r) == Counter("aabbccddee") for r in rounds)
    assert len(set(rounds)) > 6


def test_stops_when_narrow_or_says_that_it_is_not():
    narrow, wide = several(Behaviour(noise=0.002)), several(Behaviour(noise=0.5))
    assert all(s.converged and s.rounds == PLAN.min_rounds for s in time_sessions(narrow, PLAN).values())
    assert all(not s.converged and s.rounds == PLAN.max_rounds for s in time_sessions(wide, PLAN).values())


def test_the_time_limit_stops_after_three_rounds_at_least():
    clock = FakeClock()
    for seconds, rounds in ((0.0, 3), (0.19, 10)):
        plan = replace(FIXED, warmup_runs=2, seconds=seconds)
        samples = time_sessions({"a": scripted(clock, 10)}, plan)["a"]
        assert samples.rounds == rounds


@pytest.mark.parametrize("fail_after", [0, 3, 12])
def test_one_failure_leaves_the_others_alone(fail_after):
    good = Fake(Behaviour(noise=0))
    bad = Fake(Behaviour(fail_after=fail_after), good.clock).load(chain())
    results = time_sessions({"good": good.load(chain()), "bad": bad}, PLAN)
    assert list(results) == ["good", "bad"]
    assert isinstance(results["good"], Samples) and results["good"].converged
    assert "fails after" in results["bad"].reason and "\n" not in results["bad"].reason


def test_a_measurement_lasts_the_least_seconds():
    plan = replace(PLAN, max_rounds=1000, least_seconds=2)
    samples = time_sessions({"a": scripted(FakeClock(), 10)}, plan)["a"]
    assert 2 / 0.02 <= samples.rounds <= 1.3 * 2 / 0.02


def test_all_failing_is_no_error():
    bad = Fake(Behaviour(fail_after=0))
    assert isinstance(time_sessions({"bad": bad.load(chain())}, PLAN)["bad"], Failure)


def test_no_sessions_no_results():
    assert time_sessions({}, PLAN) == {}


def test_the_same_seed_gives_the_same_samples():
    def once() -> Samples:
        return time_sessions(several(Behaviour(noise=0.02, stolen=0.1)), replace(PLAN, seed=5))["large"]

    one, two = once(), once()
    assert np.array_equal(one.blocks, two.blocks, equal_nan=True)
    assert (one.ms, one.low, one.high) == (two.ms, two.low, two.high)


class Counting:
    def __init__(self):
        self.done = 0.0

    def advance(self, amount=1):
        self.done += amount

    def note(self, text): ...

    def reduce_total(self, amount): ...


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_progress_advances_by_one_a_session(noise):
    progress = Counting()
    time_sessions(several(Behaviour(noise=noise)), PLAN, progress=progress)
    assert progress.done == pytest.approx(3)


def test_the_garbage_collector_is_off_inside_and_as_before_afterwards():
    seen = []
    clock = FakeClock()
    session = Scripted(clock, lambda n: seen.append(gc.isenabled()) or 1e-3)
    time_sessions({"a": session}, PLAN)
    assert not any(seen) and gc.isenabled()


def test_several_threads_are_judged_by_their_own_usual_share():
    wall = np.full(20, 10.0)
    cpu = np.full(20, 14.0)  # of two threads' 20: they wait for each other in small layers
    wall[3] = 12.0
    assert np.flatnonzero(~undisturbed(wall, cpu, 2, PLAN)).tolist() == [3]
    assert undisturbed(wall, np.zeros(20), 0, PLAN).all()  # another device does the work
    assert not undisturbed(wall, np.full(20, 9.0), 1, PLAN).any()


positive = st.floats(0.01, 1e4)


@pytest.mark.slow
@given(st.lists(positive, min_size=3, max_size=60), st.floats(0.01, 100), st.floats(0, 1))
def test_summary_is_ordered_and_scales_with_the_unit(values, factor, quantile):
    plan = replace(PLAN, quantile=quantile)
    blocks = np.array(values)
    drift = np.ones(len(blocks))
    one, other = summarise(blocks, drift, plan), summarise(factor * blocks, drift, plan)
    assert one.low <= one.ms <= one.high
    assert min(values) * (1 - 1e-9) <= one.low and one.high <= max(values) * (1 + 1e-9)
    assert other.ms == pytest.approx(factor * one.ms) and other.high == pytest.approx(factor * one.high)
    assert summarise(blocks, drift * factor, plan).ms == pytest.approx(one.ms / factor)


@given(st.lists(positive, min_size=3, max_size=30), st.integers(1, 10))
def test_rejected_blocks_change_nothing_but_their_count(values, rejected):
    blocks = np.array(values + [np.nan] * rejected)
    with_them = summarise(blocks, np.ones(len(blocks)), PLAN)
    without = summarise(np.array(values), np.ones(len(values)), PLAN)
    assert (with_them.ms, with_them.low, with_them.high) == (without.ms, without.low, without.high)
    assert with_them.rejected == rejected and with_them.rounds == len(blocks)


@pytest.mark.parametrize("accepted", [0, 2])
def test_fewer_than_three_blocks_are_no_measurement(accepted):
    blocks = np.array([1.0] * accepted + [np.nan] * 5)
    with pytest.raises(MeasurementFailed, match=f"only {accepted} of {len(blocks)}"):
        summarise(blocks, np.ones(len(blocks)), PLAN)


def coverage(draw) -> float:
    """How often the interval of a median of 60 values holds 0, the true one."""
    found = [bootstrap_interval(draw(np.random.default_rng(trial)), 0.5, trial) for trial in range(200)]
    return float(np.mean([low <= 0 <= high for low, high in found]))


def test_the_interval_holds_the_true_median_about_as_often_as_it_says():
    assert 0.9 <= coverage(lambda rng: rng.standard_normal(60)) <= 0.99


def test_the_interval_knows_that_neighbouring_blocks_see_the_same_machine():
    def draw(rng):
        return np.repeat(rng.standard_normal(15), 4)  # a state of the machine lasts four blocks

    assert coverage(draw) >= 0.85  # .67 where blocks are resampled one by one


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_rounds": 2},
        {"max_rounds": 5},
        {"runs_per_block": 0},
        {"warmup_runs": 0},
        {"quantile": 1.5},
        {"least_seconds": -1},
    ],
    ids=str,
)
def test_a_plan_that_cannot_work_is_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        TimingPlan(**wrong)
