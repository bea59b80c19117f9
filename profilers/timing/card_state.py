"""An NVIDIA card's sensors, through NVML (`nvidia-ml-py`): clocks, throttle reasons, other processes, ECC, MIG.

    session.sensor = card_sensor()      # what a session on CUDA's first device sets; it never raises

The timing loop then reads it before, between the blocks of and after a measurement (`profilers.timing.conditions`), and
never within a timed region. Where NVML cannot be had, the sensor says so and nothing is claimed.
Source: NVML API reference, nvmlClocksEventReasons; what a card does not support is left out.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from profilers.processes import has_ended
from profilers.timing.sensors import Facts, Reading, Sensor

REMEDY = "pip install nvidia-ml-py"
DRIVER = "libcuda.so.1"
HEAT = {"SwThermalSlowdown": "heat, by software", "HwThermalSlowdown": "heat, by hardware",
        "HwSlowdown": "hardware slowdown", "HwPowerBrakeSlowdown": "external power brake"}  # fmt: skip
POWER = {"SwPowerCap": "power limit"}
_VISIBLE = "CUDA_VISIBLE_DEVICES"


class CardSensor(Sensor):
    """One card. `nvml` is the module `pynvml`, initialised, or what stands in for it; `handle` is the card's there."""

    name = "NVML"

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.nvml, self.handle = nvml, handle
        self.heat, self.power = (self.masks(words) for words in (HEAT, POWER))
        lacking = [] if self.look().mhz is not None else ["clocks"]
        lacking += [] if self.reasons() is not None else ["throttle reasons"]
        self.missing = f"not readable on this card: {', '.join(lacking)}" if lacking else ""
        bus = _text(getattr(self.ask("nvmlDeviceGetPciInfo"), "busId", "")) or "0"
        self.remedy = f"sudo nvidia-smi -i {bus} --lock-gpu-clocks=MHZ,MHZ (--reset-gpu-clocks undoes it)"

    def masks(self, words: dict[str, str]) -> dict[int, str]:
        """Bits of NVML's throttle reasons, whose constants have two names, and what each is called here."""
        found = {}
        for name, word in words.items():
            for prefix in ("nvmlClocksEventReason", "nvmlClocksThrottleReason"):
                if (bit := getattr(self.nvml, prefix + name, None)) is not None:
                    found[int(bit)] = word
        return found

    def look(self) -> Reading:
        """Throttle reasons and the SM clock: two quick calls."""
        bits, mhz = self.reasons() or 0, self.ask("nvmlDeviceGetClockInfo", self.nvml.NVML_CLOCK_SM)
        heat, power = (tuple(w for bit, w in words.items() if bits & bit) for words in (self.heat, self.power))
        return Reading(heat, power, None if mhz is None else float(mhz))

    def reasons(self) -> int | None:
        """The bits; None where they cannot be read."""
        for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
            if (found := self.ask(name)) is not None:
                return int(found)
        return None

    def facts(self) -> Facts:
        """Everything that the card says of its state."""
        seen, nvml = self.look(), self.nvml
        found = {
            "sm_mhz": seen.mhz,
            "memory_mhz": self.ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
            "highest_sm_mhz": self.ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
            "power_w": _scaled(self.ask("nvmlDeviceGetPowerUsage")),
            "celsius": self.ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            "throttled": ", ".join((*seen.throttled, *seen.limited)) or None,
            "other_processes": self.others(),
            **self.identity(),
        }
        return {key: value for key, value in found.items() if value is not None}

    def identity(self) -> Facts:
        """What makes two measurements on one card different ones: ECC, MIG, the power limit."""
        ecc, mig = self.ask("nvmlDeviceGetEccMode"), self.ask("nvmlDeviceGetMigMode")
        found = {
            "ecc": _switch(ecc),
            "mig": self.instance() or _switch(mig),
            "power_limit_w": _scaled(self.ask("nvmlDeviceGetEnforcedPowerLimit")),
        }
        return {key: value for key, value in found.items() if value is not None}

    def instance(self) -> str:
        """The MIG instance that this process computes on, as the driver names it; "" where it is the whole card."""
        first = os.environ.get(_VISIBLE, "").split(",")[0].strip()
        if not first.startswith("MIG-"):
            return ""
        handle = _quiet(self.nvml, "nvmlDeviceGetHandleByUUID", first)
        return _text(_quiet(self.nvml, "nvmlDeviceGetName", handle)) if handle is not None else first

    def others(self) -> int | None:
        """Other processes that compute on the card. In a container the ids are another namespace's: there one is us."""
        running = self.ask("nvmlDeviceGetComputeRunningProcesses")
        if running is None:
            return None
        ids = [process.pid for process in running]
        return len(ids) - (1 if os.getpid() in ids or any(has_ended(i) for i in ids) else 0)

    def ask(self, name: str, *arguments: Any) -> Any:
        """One of NVML's functions of the card; None where it is not supported."""
        return _quiet(self.nvml, name, self.handle, *arguments)


class NoCard(Sensor):
    """Where NVML cannot be had: what is unknown, and why."""

    def __init__(self, reason: str) -> None:
        self.missing = f"clocks, throttling and other processes of the card are unknown: {reason}"


@cache
def card_sensor() -> Sensor:
    """The sensor of CUDA's first device, once for the process; a `NoCard` where there is none."""
    try:
        nvml = _library()
        nvml.nvmlInit()
    except (ImportError, OSError) as error:
        return NoCard(f"{error} ({REMEDY})")
    except Exception as error:  # NVML's own have no other base
        return NoCard(" ".join(str(error).split()))
    handle = _handle(nvml, _first_bus())
    return NoCard("NVML does not know which card CUDA computes on") if handle is None else CardSensor(nvml, handle)


def card_identity() -> tuple[str, ...] | None:
    """For a fingerprint: as in ("ecc on", "mig off", "power_limit_w 350"); None where the card cannot be asked."""
    sensor = card_sensor()
    if not isinstance(sensor, CardSensor):
        return None
    return tuple(f"{key} {value}" for key, value in sensor.identity().items())


def _library() -> Any:
    import pynvml

    return pynvml


def _handle(nvml: Any, bus: str) -> Any:
    """By address; without one, the only card."""
    if bus:
        return _quiet(nvml, "nvmlDeviceGetHandleByPciBusId", bus.encode())
    return _quiet(nvml, "nvmlDeviceGetHandleByIndex", 0) if _quiet(nvml, "nvmlDeviceGetCount") == 1 else None


def _first_bus() -> str:
    """The address of CUDA's first device, whose order is not NVML's; "" without a driver."""
    try:
        driver = ctypes.CDLL(DRIVER)
        device, text = ctypes.c_int(), ctypes.create_string_buffer(32)
        failed = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
        return "" if failed or driver.cuDeviceGetPCIBusId(text, len(text), device) else text.value.decode()
    except (OSError, AttributeError):
        return ""


def _quiet(nvml: Any, name: str, *arguments: Any) -> Any:
    function: Callable[..., Any] | None = getattr(nvml, name, None)
    try:
        return None if function is None else function(*arguments)
    except nvml.NVMLError:  # not supported by this card, or not allowed
        return None


def _switch(mode: Any) -> str | None:
    """Of [current, pending]."""
    return None if mode is None else "on" if mode[0] else "off"


def _scaled(milliwatts: Any) -> float | None:
    return None if milliwatts is None else round(milliwatts / 1e3, 1)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
