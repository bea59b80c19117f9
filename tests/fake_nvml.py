"""NVML as far as this project asks it, of one card that does what a test says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from profilers.timing import card_state


class NVMLError(Exception):
    """As pynvml's."""


class FakeNvml:
    """The module `pynvml` with one card. `bits` is asked at each look and gives the throttle reasons then."""

    NVMLError = NVMLError
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    nvmlClocksEventReasonSwPowerCap = 0x4
    nvmlClocksThrottleReasonHwSlowdown = 0x8
    nvmlClocksEventReasonSwThermalSlowdown = 0x20
    nvmlClocksThrottleReasonHwThermalSlowdown = 0x40
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown = 0x80

    def __init__(self, bits: Any = lambda look: 0, **facts: Any) -> None:
        self.bits, self.looks = bits, 0
        self.facts = {"sm": lambda look: 1410, "pids": [os.getpid()], "ecc": [1, 1], "mig": [0, 0], "cards": 1, **facts}

    def nvmlInit(self) -> None:
        if (error := self.facts.get("init")) is not None:
            raise error

    def nvmlDeviceGetCount(self) -> int:
        return int(self.facts["cards"])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"card {index}"

    def nvmlDeviceGetCurrentClocksEventReasons(self, card: str) -> int:
        self.looks += 1
        return int(self.known("bits", self.bits(self.looks)))

    def nvmlDeviceGetClockInfo(self, card: str, kind: int) -> int:
        return int(self.known("clocks", self.facts["sm"](self.looks) if kind == self.NVML_CLOCK_SM else 1215))

    def nvmlDeviceGetMaxClockInfo(self, card: str, kind: int) -> int:
        return 1980

    def nvmlDeviceGetPowerUsage(self, card: str) -> int:
        return 251_300

    def nvmlDeviceGetEnforcedPowerLimit(self, card: str) -> int:
        return 400_000

    def nvmlDeviceGetTemperature(self, card: str, sensor: int) -> int:
        return 61

    def nvmlDeviceGetComputeRunningProcesses(self, card: str) -> list[Any]:
        return [SimpleNamespace(pid=pid) for pid in self.facts["pids"]]

    def nvmlDeviceGetEccMode(self, card: str) -> list[int]:
        return list(self.known("ecc", self.facts["ecc"]))

    def nvmlDeviceGetMigMode(self, card: str) -> list[int]:
        return list(self.known("mig", self.facts["mig"]))

    def nvmlDeviceGetPciInfo(self, card: str) -> Any:
        return SimpleNamespace(busId=b"00000000:01:00.0")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetName(self, card: str) -> str:
        return "NVIDIA A100 MIG 1g.5gb"

    def known(self, what: str, value: Any) -> Any:
        """What NVML answers where the card does not support it is this error."""
        if what in self.facts.get("unsupported", ()):
            raise NVMLError("Not Supported")
        return value


@contextmanager
def installed(nvml: FakeNvml) -> Iterator[FakeNvml]:
    """The card's sensor is of this inside."""
    card_state.card_sensor.cache_clear()
    with patch.object(card_state, "_library", lambda: nvml), patch.object(card_state, "_first_bus", lambda: ""):
        yield nvml
    card_state.card_sensor.cache_clear()
