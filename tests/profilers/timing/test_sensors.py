"""The CPU's sensors, on files that a test writes as Linux does."""

from __future__ import annotations

import pytest

from profilers.base import TimingPlan
from profilers.timing.clock import SystemClock
from profilers.timing.conditions import Conditions
from profilers.timing.loop import time_sessions
from profilers.timing.pinning import allowed_cores
from profilers.timing.sensors import CpuSensor, Sensor, sensor_of
from tests.profilers.models import Scripted


@pytest.fixture
def cpus(tmp_path):
    """A machine whose cores have a governor and counters of thermal slowdowns."""
    for core in allowed_cores():
        write(tmp_path / f"cpu{core}", "thermal_throttle/core_throttle_count", 7)
        write(tmp_path / f"cpu{core}", "thermal_throttle/package_throttle_count", 9)
        write(tmp_path / f"cpu{core}", "cpufreq/scaling_governor", "powersave")
        write(tmp_path / f"cpu{core}", "cpufreq/scaling_max_freq", 3_400_000)
    write(tmp_path, "intel_pstate/no_turbo", 0)
    return tmp_path


def write(folder, name, value):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{value}\n")


def test_governor_limits_and_slowdowns_are_read(cpus):
    sensor = CpuSensor(cpus)
    assert sensor.missing == "" and sensor.facts() == {
        "governor": "powersave", "limit_mhz": 3400.0, "boost": "on", "thermal_slowdowns": 7 * len(allowed_cores()) + 9,
    }  # fmt: skip
    write(cpus, "intel_pstate/no_turbo", 1)
    assert sensor.facts()["boost"] == "off"


def test_what_cannot_be_read_is_said(tmp_path):
    sensor = CpuSensor(tmp_path)
    assert sensor.missing == "not readable on this machine: thermal slowdowns, governor"
    assert sensor.facts() == {} and sensor.look() == ((), (), None, ())


def test_blocks_during_which_a_counter_rose_are_rejected(cpus, monkeypatch):
    monkeypatch.setattr("profilers.timing.conditions.CpuSensor", lambda: CpuSensor(cpus))
    counter = cpus / f"cpu{allowed_cores()[0]}" / "thermal_throttle" / "core_throttle_count"

    def run(n: int) -> float:
        counter.write_text(f"{7 + max(0, n - 15)}\n" if n < 19 else counter.read_text())
        return 0.0

    class Real(SystemClock):
        def advance(self, wall, cpu):
            pass

    plan = TimingPlan(min_rounds=20, max_rounds=20, untimed_runs=0, block_ms=0, warmup_runs=1, warmup_max_runs=1)
    found = time_sessions({"a": Scripted(Real(), run, threads=0)}, plan)["a"]
    assert found.conditions.throttled == 3 and found.conditions.reasons == ["a counter of thermal slowdowns rose"]
    assert found.rejected >= 3 and "governor powersave" in found.conditions.remarks()[-1]


def test_a_steady_governor_needs_no_remark():
    assert Conditions(before={"governor": "performance"}).remarks() == Conditions().remarks() == []


def test_a_simulated_device_has_no_sensor():
    own = Sensor()
    assert sensor_of(Scripted(None, None), own) is not own
