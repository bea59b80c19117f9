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
from profilers.fake import Behaviour, Fake, FakeClock
from profilers.timing import accepted, bootstrap_interval, summarise, time_sessions, undisturbed
from tests.profilers.models import Scripted, chain, tiny

PLAN = TimingPlan(min_rounds=10, max_rounds=40)
FIXED = TimingPlan(min_rounds=40, max_rounds=40)


def pair(behaviour: Behaviour) -> tuple[dict, Scripted]:
    """A small and a large network and a sentinel on one simulated device."""
    device = Fake(behaviour)
    return {"small": device.load(chain()), "large": device.load(tiny()[0])}, device.load(tiny(seed=1)[0])


def scripted(clock: FakeClock, ms: float, **more) -> Scripted:
    return Scripted(clock, lambda n: ms / 1e3, **more)


def spiking(clock: FakeClock, ms: float, spikes: set[int], factor: float = 1.2) -> Scripted:
    return Scripted(clock, lambda n: ms / 1e3 * (factor if n in spikes else 1))


def test_a_quiet_device_is_measured_exactly():
    sessions, sentinel = pair(Behaviour(noise=0))
    results = time_sessions(sessions, PLAN, sentinel=sentinel)
    for name, samples in results.items():
        assert samples.ms == pytest.approx(sessions[name].ideal_ms, rel=1e-9)
        assert samples.low == pytest.approx(samples.high) and samples.converged
        assert samples.rounds == PLAN.min_rounds and samples.rejected == 0 and samples.clock == "wall"


def test_noise_that_only_adds_time_is_mostly_left_out():
    sessions, _ = pair(Behaviour(noise=0.1))
    for name, samples in time_sessions(sessions, FIXED).items():
        ideal = sessions[name].ideal_ms
        assert ideal <= samples.ms <= samples.median <= samples.p90
        assert samples.ms <= 1.06 * ideal  # the median of |N(0, 0.1)| is 0.067, its lower quartile 0.032
        assert samples.low <= samples.ms <= samples.high


def test_slow_drift_is_divided_out():
    with_sentinel, without = {}, {}
    for target, use in ((with_sentinel, True), (without, False)):
        sessions, sentinel = pair(drifting := Behaviour(noise=0.002, drift=0.15))
        a_round = 2 * (sentinel.ideal_ms + sum(s.ideal_ms for s in sessions.values()))
        drifting.drift_seconds = 20 * a_round / 1e3
        found = time_sessions(sessions, FIXED, sentinel=sentinel if use else None)
        target.update({name: np.nanstd(s.blocks / s.drift) / s.ms for name, s in found.items()})
    assert all(without[name] > 0.05 for name in without)
    assert all(with_sentinel[name] < 0.4 * without[name] for name in without)


def test_the_sentinels_level_carries_over_to_the_next_call():
    clock = FakeClock()
    speed = {"factor": 1.0}

    def session(ms: float) -> Scripted:
        return Scripted(clock, lambda n: ms * speed["factor"] / 1e3)

    first = time_sessions({"a": session(5)}, PLAN, sentinel=session(2))["a"]
    speed["factor"] = 1.3  # the machine slowed down between the calls
    second = time_sessions({"a": session(5)}, PLAN, sentinel=session(2), sentinel_ms=first.sentinel_ms)["a"]
    alone = time_sessions({"a": session(5)}, PLAN, sentinel=session(2))["a"]
    assert first.sentinel_ms == pytest.approx(2) and second.sentinel_ms == first.sentinel_ms
    assert second.ms == pytest.approx(first.ms) and np.allclose(second.drift, 1.3)
    assert alone.ms == pytest.approx(1.3 * first.ms)


def test_descheduled_blocks_are_rejected_and_counted():
    sessions, sentinel = pair(Behaviour(noise=0.005, stolen=0.3))
    for name, samples in time_sessions(sessions, FIXED, sentinel=sentinel).items():
        assert samples.clock == "wall"
        assert 0 < samples.rejected == np.isnan(samples.blocks).sum() < FIXED.max_rounds
        assert samples.p90 < 1.1 * sessions[name].ideal_ms  # a descheduled run takes three times as long


def test_a_busy_machine_is_timed_by_cpu_time_and_says_so():
    sessions, sentinel = pair(Behaviour(noise=0.005, stolen=0.9))
    for name, samples in time_sessions(sessions, FIXED, sentinel=sentinel).items():
        assert samples.clock == "cpu"
        assert samples.ms == pytest.approx(sessions[name].ideal_ms, rel=0.03)


def test_a_busy_machine_gives_no_answer_where_cpu_time_is_not_wanted():
    sessions, sentinel = pair(Behaviour(stolen=1.0))
    results = time_sessions(sessions, replace(FIXED, cpu_time_when_busy=False), sentinel=sentinel)
    assert all(isinstance(r, Failure) and "blocks were accepted" in r.reason for r in results.values())


def test_a_machine_whose_sentinel_never_rests_is_measured_all_the_same():
    clock = FakeClock()
    noisy = np.random.default_rng(0).uniform(0.7, 1.4, 1000)
    sessions = {"a": Scripted(clock, lambda n: 3e-3 * noisy[n])}
    sentinel = Scripted(clock, lambda n: 1e-3 * noisy[-n])
    samples = time_sessions(sessions, FIXED, sentinel=sentinel)["a"]
    assert samples.rejected == 0 and not samples.converged
    assert samples.ms == pytest.approx(3 * np.quantile(noisy, 0.25), rel=0.1) and samples.high / samples.low > 1.02


def test_few_quiet_blocks_are_made_up_for_by_cpu_time():
    wall, cpu = np.array([1.0, 3.0, 1.0, 3.0]), np.ones(4)  # half of the blocks are quiet, but two are no measurement
    kept, clock = accepted(wall, cpu, 1, PLAN)
    assert clock == "cpu" and kept.tolist() == [1.0] * 4


def test_too_few_blocks_are_not_taken_for_convergence():
    sessions, _ = pair(Behaviour(stolen=1.0))
    plan = replace(PLAN, cpu_time_when_busy=False)
    time_sessions(sessions, plan)
    assert sessions["small"].runs > 2 * plan.max_rounds


def test_a_sentinel_that_is_off_for_once_disturbs_nothing():
    clock = FakeClock()
    warm = FIXED.warmup_runs
    timed_run_of_round = {r: warm + 2 * r + 1 for r in range(FIXED.max_rounds)}
    sentinel = spiking(clock, 1, {timed_run_of_round[7], timed_run_of_round[20]})
    sessions = {"a": scripted(clock, 3), "b": scripted(clock, 4), "c": scripted(clock, 5)}
    for ms, samples in zip((3, 4, 5), time_sessions(sessions, FIXED, sentinel=sentinel).values(), strict=True):
        assert samples.rejected == 0 and samples.drift == pytest.approx(1) and samples.p90 == pytest.approx(ms)


def test_steps_of_the_machines_speed_are_divided_out():
    """Slow and quick by turns, faster than rounds: no sentinel at their start could tell."""
    clock = FakeClock()
    speed = lambda: 1.16 if int(clock.wall() / 0.17) % 2 else 1.0  # noqa: E731
    sessions = {str(ms): Scripted(clock, lambda n, ms=ms: ms * speed() / 1e3) for ms in range(5, 12)}
    sentinel = Scripted(clock, lambda n: 4 * speed() / 1e3)
    for ms, samples in time_sessions(sessions, FIXED, sentinel=sentinel).items():
        assert samples.ms == pytest.approx(float(ms), rel=0.005) and samples.median == pytest.approx(
            float(ms), rel=0.01
        )


def test_the_first_run_of_a_block_is_not_timed():
    clock = FakeClock()
    cold = Scripted(clock, lambda n: 0.1 if n >= PLAN.warmup_runs and (n - PLAN.warmup_runs) % 3 == 0 else 0.001)
    samples = time_sessions({"a": cold}, replace(PLAN, runs_per_block=2))["a"]
    assert samples.ms == pytest.approx(1) and samples.p90 == pytest.approx(1)


def test_blocks_of_fast_models_are_made_longer():
    clock = FakeClock()
    fast = {str(i): Scripted(clock, lambda n: 1e-4) for i in range(3)}
    slow = Scripted(clock, lambda n: 1e-2)
    plan = replace(PLAN, block_ms=0.5, min_rounds=10, max_rounds=10)
    time_sessions({**fast, "slow": slow}, plan)
    assert slow.runs == PLAN.warmup_runs + 10 * (1 + 5)
    time_sessions({"slow": (alone := Scripted(clock, lambda n: 1e-2))}, plan)
    assert alone.runs == PLAN.warmup_runs + 10 * (1 + 1)


def test_cold_runs_are_timed_where_they_are_asked_for():
    clock = FakeClock()
    cold = Scripted(clock, lambda n: 0.003 if n >= 1 and (n - 1) % 2 == 0 else 0.001)
    plan = TimingPlan(min_rounds=20, max_rounds=20, warmup_runs=1, warmup_max_runs=1, untimed_runs=0)
    samples = time_sessions({"a": cold}, plan)["a"]
    assert cold.runs == 21 and sorted(set(samples.blocks.round(9))) == [1.0, 3.0]


def test_a_session_may_limit_the_runs_of_a_block():
    clock = FakeClock()
    sessions = {"all": scripted(clock, 1), "few": scripted(clock, 2)}
    sessions["few"].most_runs = 3
    plan = replace(PLAN, runs_per_block=10, max_rounds=10, warmup_runs=1)
    results = time_sessions(sessions, plan)
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
    plan = TimingPlan(min_rounds=12, max_rounds=12, warmup_runs=1)
    time_sessions(sessions, plan, sentinel=scripted(clock, 1, log=log, name="S"))
    rounds = "".join(log[6:]).split("SS")[1:]
    assert len(rounds) == 12
    assert all(Counter(r) == Counter("aabbccddee") for r in rounds)
    assert len(set(rounds)) > 6


def test_stops_when_narrow_or_says_that_it_is_not():
    narrow, _ = pair(Behaviour(noise=0.002))
    wide, _ = pair(Behaviour(noise=0.5))
    assert all(s.converged and s.rounds == PLAN.min_rounds for s in time_sessions(narrow, PLAN).values())
    assert all(not s.converged and s.rounds == PLAN.max_rounds for s in time_sessions(wide, PLAN).values())


def test_the_time_limit_stops_after_three_rounds_at_least():
    clock = FakeClock()
    for seconds, rounds in ((0.0, 3), (0.21, 10)):
        plan = TimingPlan(min_rounds=40, max_rounds=40, warmup_runs=2, seconds=seconds)
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


def test_all_failing_is_no_error_and_a_failing_sentinel_is():
    bad = Fake(Behaviour(fail_after=0))
    assert isinstance(time_sessions({"bad": bad.load(chain())}, PLAN)["bad"], Failure)
    with pytest.raises(MeasurementFailed, match="sentinel"):
        time_sessions({"a": Fake().load(chain())}, PLAN, sentinel=bad.load(chain()))


def test_no_sessions_no_results():
    assert time_sessions({}, PLAN) == {}


def test_the_same_seed_gives_the_same_samples():
    def once() -> Samples:
        sessions, sentinel = pair(Behaviour(noise=0.02, stolen=0.1))
        return time_sessions(sessions, replace(PLAN, seed=5), sentinel=sentinel)["large"]

    one, two = once(), once()
    assert np.array_equal(one.blocks, two.blocks, equal_nan=True)
    assert (one.ms, one.low, one.high) == (two.ms, two.low, two.high)


class Counting:
    def __init__(self):
        self.done = 0.0

    def advance(self, amount=1):
        self.done += amount

    def note(self, text): ...

    def spare(self, amount): ...


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_progress_advances_by_one_a_session(noise):
    sessions, sentinel = pair(Behaviour(noise=noise))
    progress = Counting()
    time_sessions(sessions, PLAN, sentinel=sentinel, progress=progress)
    assert progress.done == pytest.approx(2)


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


def test_the_interval_holds_the_true_quantile_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    true = np.quantile(np.abs(rng.standard_normal(1_000_000)), 0.25)
    inside = 0
    for trial in range(200):
        low, high = bootstrap_interval(np.abs(rng.standard_normal(40)), 0.25, trial)
        inside += low <= true <= high
    assert 0.88 <= inside / 200 <= 0.99


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_rounds": 2},
        {"max_rounds": 5},
        {"runs_per_block": 0},
        {"warmup_runs": 0},
        {"quantile": 1.5},
        {"patience": -1},
    ],
    ids=str,
)
def test_a_plan_that_cannot_work_is_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        TimingPlan(**wrong)
