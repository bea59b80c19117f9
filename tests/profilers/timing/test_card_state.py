"""A card's sensors and what the timing loop makes of them, on a stand-in of NVML; no GPU is needed."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from profilers.base import Failure, Options, TimingPlan
from profilers.registry import get_profiler
from profilers.runtimes.fake import FakeClock
from profilers.timing import card_state
from profilers.timing.card_state import CardSensor, NoCard, card_identity, card_sensor
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.loop import time_sessions
from tests.fake_nvml import FakeNvml, NVMLError, installed
from tests.profilers.models import Scripted

PLAN = TimingPlan(min_rounds=20, max_rounds=20, untimed_runs=0, block_ms=0, warmup_runs=1)
HEAT, POWER = 0x40, 0x4


def timed(bits=lambda look: 0, **facts):
    """A model of 1 ms on a card, timed in 20 blocks, each between two looks; the first looks are two more."""
    clock = FakeClock()
    with installed(FakeNvml(bits, **facts)):
        session = Scripted(clock, lambda n: 0.001)
        session.sensor, session.threads = card_sensor(), 0
        return time_sessions({"a": session}, PLAN)["a"]


def test_a_quiet_card_is_described_and_nothing_is_rejected():
    found = timed()
    assert (found.rejected, found.conditions.throttled, found.conditions.remarks()) == (0, 0, [])
    assert found.conditions.before == found.conditions.after == {
        "sm_mhz": 1410, "memory_mhz": 1215, "highest_sm_mhz": 1980, "power_w": 251.3, "celsius": 61,
        "other_processes": 0, "ecc": "on", "mig": "off", "power_limit_w": 400.0,
    }  # fmt: skip
    assert (found.conditions.sensor, found.conditions.missing, found.conditions.blocks) == ("NVML", "", 20)
    assert (found.conditions.low_mhz, found.conditions.high_mhz) == (1410, 1410)


def test_blocks_under_heat_are_rejected_and_counted():
    found = timed(lambda look: HEAT if 11 <= look <= 20 else 0)
    heat = found.conditions
    assert 4 <= heat.throttled == found.rejected <= 6 and not heat.kept and heat.reasons == ["heat, by hardware"]
    (remark,) = heat.remarks()
    assert remark == f"{heat.throttled} of 20 blocks ran while the device was throttled (heat, by hardware); rejected"


def test_where_most_blocks_are_throttled_none_is_rejected_and_it_is_said():
    found = timed(lambda look: HEAT)
    assert found.rejected == 0 and found.conditions.throttled == 20 and found.conditions.kept
    assert "the speed that the device keeps up" in found.conditions.remarks()[0]


def test_the_power_limit_is_counted_and_nothing_rejected():
    found = timed(lambda look: POWER)
    assert (found.rejected, found.conditions.limited, found.conditions.throttled) == (0, 20, 0)
    assert "power limit at 100% of the blocks" in found.conditions.remarks()[0]


def test_a_floating_clock_is_said_with_the_command_that_holds_it():
    (remark,) = timed(sm=lambda look: 1980 - 5 * look).conditions.remarks()
    assert "the clock floated between" in remark and "-i 00000000:01:00.0 --lock-gpu-clocks=1" in remark
    assert timed(sm=lambda look: 1410 + look % 2).conditions.remarks() == []


@pytest.mark.parametrize(
    ("pids", "others"),
    [([os.getpid()], 0), ([os.getpid(), 1], 1), ([2**30], 0), ([2**30, 2**30 + 1], 1), ([], 0), ([1], 1)],
)
def test_other_processes_on_the_card_are_counted(pids, others):
    """Ids that are none here are those of another namespace, where one of them is this process."""
    found = timed(pids=pids).conditions
    assert found.before["other_processes"] == others and len(found.remarks()) == (others > 0)


def test_what_a_card_does_not_support_is_left_out_and_said():
    found = timed(unsupported=("bits", "clocks", "ecc", "mig")).conditions
    assert found.missing == "not readable on this card: clocks, throttle reasons"
    assert "ecc" not in found.before and "sm_mhz" not in found.before and found.low_mhz is None


def test_without_nvml_or_with_several_cards_nothing_is_claimed(monkeypatch):
    with installed(FakeNvml(cards=2)):
        assert "which card" in card_sensor().missing and card_identity() is None
    with installed(FakeNvml(init=NVMLError("Driver Not Loaded"))):
        assert card_sensor().missing.endswith("are unknown: Driver Not Loaded")
    with installed(FakeNvml()):
        monkeypatch.setattr(card_state, "_library", lambda: __import__("no_such_module"))
        sensor = card_sensor()
    assert isinstance(sensor, NoCard) and sensor.missing.endswith("(pip install nvidia-ml-py)")
    assert sensor.facts() == {} and sensor.look().mhz is None


def test_a_card_is_found_by_the_address_that_cuda_says(monkeypatch):
    nvml = FakeNvml(cards=2)
    nvml.nvmlDeviceGetHandleByPciBusId = lambda bus: f"card at {bus.decode()}"
    with installed(nvml):
        monkeypatch.setattr(card_state, "_first_bus", lambda: "0000:81:00.0")
        sensor = card_sensor()
    assert isinstance(sensor, CardSensor) and sensor.handle == "card at 0000:81:00.0"


def test_a_mig_instance_is_named(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1234")
    with installed(FakeNvml(mig=[1, 1])):
        assert "mig NVIDIA A100 MIG 1g.5gb" in card_identity()


def test_the_fingerprint_of_a_gpu_says_ecc_mig_and_power_limit():
    cuda = get_profiler("onnxruntime-cuda")
    with installed(FakeNvml()):
        found = fingerprint(cuda, Options())
    with installed(FakeNvml(ecc=[0, 0])):
        other = fingerprint(cuda, Options())
    assert (
        found.card == ("ecc on", "mig off", "power_limit_w 400.0")
        and fingerprint(get_profiler("fake"), Options()).card == ()
    )
    assert [line.split(":")[0] for line in found.differences(other)] == ["card"]
    unread = replace(found, card=None)
    assert found.differences(unread) == unread.differences(found) == []  # not readable, or a file of before
    before = {k: v for k, v in found.to_json().items() if k != "card"}
    assert Fingerprint.from_json(before).card is None and Fingerprint.from_json(found.to_json()) == found


def test_a_model_of_which_too_little_is_left_is_a_failure():
    short = replace(PLAN, min_rounds=4, max_rounds=4)
    clock = FakeClock()
    with installed(FakeNvml(lambda look: HEAT if look in (4, 8) else 0)):
        session = Scripted(clock, lambda n: 0.001)
        session.sensor, session.threads = card_sensor(), 0
        found = time_sessions({"a": session}, short)["a"]
    assert isinstance(found, Failure) and "only 2 of 4 blocks were accepted" in found.reason
