"""What a device is like before one measures on it, as the agent finds it there; `advice` is given on this side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profilers.devices.lock import DeviceLock
from profilers.timing.cgroup import cgroup_quota, system_text
from profilers.timing.fingerprint import cpu_model, physical_cores
from profilers.timing.pinning import allowed_cores

THERMAL, CPUS, MEMORY = Path("/sys/class/thermal"), Path("/sys/devices/system/cpu"), Path("/proc/meminfo")
SLOWING = ("passive", "hot", "critical")  # kinds of trip points from which on a device slows itself down, or ends
CLOSE = 10.0  # degrees to one, from which on a user is told
LEAST_DISK, LEAST_MEMORY = 2.0, 0.5  # GB of 1e9 bytes
BUSY = 0.3  # cores of other work


def checkup() -> dict[str, Any]:
    """Facts of this machine; None for what it does not say."""
    memory = _memory()
    return {
        "cpu": cpu_model(),
        "cores": physical_cores(),
        "allowed": len(allowed_cores()),
        "quota": cgroup_quota(),
        "memory_gb": memory.get("MemTotal"),
        "free_memory_gb": memory.get("MemAvailable"),
        "free_disk_gb": round(shutil.disk_usage(Path.home()).free / 1e9, 1),
        "governors": sorted({system_text(p) for p in CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""}),
        "celsius": _hottest(),
        "slows_at_celsius": _slows_at(),
        "load": round(os.getloadavg()[0], 2),
        "measured_by": DeviceLock().holder(),
    }


def advice(found: Mapping[str, Any], available: Sequence[str]) -> list[str]:
    """What to do before one measures, a line each; `available` are the runtimes that work there."""
    lines = []
    slow = [name for name in found.get("governors") or [] if name != "performance"]
    if slow:
        lines.append(
            f"the clock follows the governor {', '.join(slow)}, and times with it; "
            "there: sudo cpupower frequency-set -g performance"
        )
    celsius, limit = found.get("celsius"), found.get("slows_at_celsius")
    if celsius is not None and limit is not None and celsius > limit - CLOSE:
        lines.append(f"it is at {celsius:.0f} °C and slows down at {limit:.0f} °C: cool it, or let it rest")
    if (found.get("load") or 0) > BUSY:
        lines.append(f"other work uses about {found['load']:.1f} cores: end it")
    if (found.get("free_disk_gb") or LEAST_DISK) < LEAST_DISK:
        lines.append(f"{found['free_disk_gb']:.1f} GB of its disk are free: networks may need {LEAST_DISK:.0f}")
    if (found.get("free_memory_gb") or LEAST_MEMORY) < LEAST_MEMORY:
        lines.append(f"{found['free_memory_gb']:.1f} GB of its memory are free: a group of networks may not fit")
    if found.get("measured_by"):
        lines.append(f"it is being measured on by {found['measured_by']}")
    if not available:
        lines.append("no runtime works there: hwnas engines --device says what to install")
    return lines


def _memory() -> dict[str, float]:
    """GB of 1e9 bytes by name."""
    lines = (line.split() for line in system_text(MEMORY).splitlines())
    return {line[0].rstrip(":"): round(int(line[1]) * 1024 / 1e9, 1) for line in lines if len(line) == 3}


def _hottest() -> float | None:
    return max((t for zone in THERMAL.glob("thermal_zone*") for t in _celsius(zone / "temp")), default=None)


def _slows_at() -> float | None:
    """The lowest trip point at which the system slows the processor down."""
    trips = (kind for kind in THERMAL.glob("thermal_zone*/trip_point_*_type") if system_text(kind) in SLOWING)
    found = (t for kind in trips for t in _celsius(kind.with_name(kind.name.replace("_type", "_temp"))))
    return min((t for t in found if t > 0), default=None)


def _celsius(path: Path) -> list[float]:
    text = system_text(path)
    return [int(text) / 1e3] if text.lstrip("-").isdigit() else []
