"""A device's own sensors: what disturbs it while models are timed, read before, between blocks, and after.

This file has the CPU's, from /sys; a card's are in `profilers.timing.card_state`. Nothing is read while a run is timed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, NamedTuple  # noqa: UP035  Python 3.8, in a bundle

from profilers.timing.clock import SystemClock
from profilers.timing.pinning import allowed_cores

CPUS = Path("/sys/devices/system/cpu")
MOST_FILES = 16  # read at every block: each takes some ten microseconds
Facts = Dict[str, Any]  # noqa: UP006


class Reading(NamedTuple):
    """One look at a device between two blocks.

    throttled  why it is slowed down by heat or by its hardware; blocks beside it are rejected
    limited    why it is slowed down otherwise (its power limit), which is its ordinary state under load: recorded
    mhz        the clock of what computes, None where it cannot be read
    counts     slowdowns since it was started; a rise means that one came and went
    """

    throttled: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()
    mhz: float | None = None
    counts: tuple[int, ...] = ()


class Sensor:
    """Of a device that has none, such as a simulated one; others say what theirs read.

    >>> Sensor().look().throttled
    ()
    """

    name = ""
    missing = ""  # what cannot be read here and why, one line
    remedy = ""  # how to keep its clock from floating

    def look(self) -> Reading:
        """What is read between blocks: quick."""
        return Reading()

    def facts(self) -> Facts:
        """What is read before and after a measurement: all there is, as JSON."""
        return {}


class CpuSensor(Sensor):
    """Frequency governor, limits of the clock, and the counters of thermal slowdowns of the cores that may be used."""

    name = "cpufreq and thermal_throttle"
    remedy = "sudo cpupower frequency-set --governor performance"

    def __init__(self, cpus: Path = CPUS) -> None:
        cores = [cpus / f"cpu{i}" for i in allowed_cores()]
        self.cpus, self.core = cpus, cores[0] if cores else cpus / "cpu0"
        files = [folder / "thermal_throttle" / "core_throttle_count" for folder in cores]
        files.append(self.core / "thermal_throttle" / "package_throttle_count")
        self.counters = [path for path in files if _number(path) is not None][:MOST_FILES]
        lacking = [] if self.counters else ["thermal slowdowns"]
        lacking += [] if (self.core / "cpufreq" / "scaling_governor").is_file() else ["governor"]
        self.missing = f"not readable on this machine: {', '.join(lacking)}" if lacking else ""

    def look(self) -> Reading:
        """The counters."""
        return Reading(counts=tuple(_number(path) or 0 for path in self.counters))

    def facts(self) -> Facts:
        """Those that can be read."""
        scaling = self.core / "cpufreq"
        found = {
            "governor": _text(scaling / "scaling_governor") or None,
            "mhz": _mhz(scaling / "scaling_cur_freq"),
            "limit_mhz": _mhz(scaling / "scaling_max_freq"),
            "boost": _boost(self.cpus),
            "thermal_slowdowns": sum(self.look().counts) if self.counters else None,
        }
        return {key: value for key, value in found.items() if value is not None}


def sensor_of(session: Any, cpu: Sensor) -> Sensor:
    """A session's own sensor; without one that of the CPU, if it is real time that is measured."""
    if session.sensor is not None:
        found: Sensor = session.sensor
        return found
    return cpu if isinstance(session.clock, SystemClock) else Sensor()


def _boost(cpus: Path) -> str | None:
    """Whether clocks above the nominal one are allowed."""
    off, on = _text(cpus / "intel_pstate" / "no_turbo"), _text(cpus / "cpufreq" / "boost")
    if off in ("0", "1"):
        return "on" if off == "0" else "off"
    return {"1": "on", "0": "off"}.get(on)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None


def _mhz(path: Path) -> float | None:
    value = _number(path)
    return None if value is None else round(value / 1e3, 1)
