"""What a latency was measured on: device, limits, clocks, runtime, settings. Those of two identities never mix."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from profilers.base import UNSTATED, Options, Profiler
from profilers.timing.card_state import card_identity
from profilers.timing.cgroup import cgroup_quota, system_text
from profilers.timing.pinning import allowed_cores
from profilers.timing.placement import placement

VECTORS = {"avx2", "avx512f", "asimd"}
FLAGS = ("avx", "avx2", "fma", "f16c", "avx_vnni", "avx512", "amx", "bf16", "asimd", "sve", "i8mm", "neon")
RECORDED = ("cores_effective", "affinity", "mhz", "memory_gb", "os", "python", "load")  # not part of the identity


@dataclass(frozen=True)
class Fingerprint:
    """One machine, runtime and setting. None: not readable here."""

    device: str
    """Model of the CPU, or of the GPU where the runtime computes there."""
    cpu: str
    """Model of the CPU."""
    cores: int
    """Of the machine, hyper-threads not counted."""
    quota: float | None
    """Cores that the control group allows."""
    governor: str
    """Of the CPU's frequency."""
    max_mhz: float | None
    """The CPU's highest clock, MHz."""
    flags: tuple[str, ...]
    """Instruction sets that affect inference speed."""
    runtime: str
    """Name of the runtime."""
    runtime_version: str
    """Its version."""
    threads: int
    """Intra-op threads."""
    precision: str
    """What the runtime computes in."""
    batch: int
    """Images a run."""
    optimization: str
    """Graph optimisation level in the runtime's words; empty is its default."""
    state: str
    """State of the caches: steady, interrupted, or empty where it was not stated."""
    cores_effective: float
    """What threads may count on: the allowed cores within the quota."""
    affinity: tuple[int, ...]
    """Cores that the process may use."""
    mhz: float | None
    """The CPU's clock then, MHz."""
    memory_gb: float
    """Memory, GB of 1e9 bytes."""
    os: str
    """Operating system."""
    python: str
    """Version of Python."""
    load: float
    """One-minute load average."""
    placement: str | None = None
    """Kind of the cores that the threads have, where a machine has several kinds; null in files of before."""
    card: tuple[str, ...] | None = None
    """Of a GPU: ECC, MIG and power limit; null where they cannot be read, and in files of before."""

    def identity(self) -> dict[str, Any]:
        """The fields that must be equal for two latencies to be comparable."""
        return {name: value for name, value in asdict(self).items() if name not in RECORDED}

    def differences(self, other: Fingerprint) -> list[str]:
        """One line for each field of the identity that differs: `threads: 1 here, 2 there` (`other` is there)."""
        mine, theirs = self.identity(), other.identity()
        for name in ("placement", "card"):  # files of before do not say
            if None in (mine[name], theirs[name]):
                mine.pop(name)
        differing = [name for name in mine if mine[name] != theirs[name]]
        return [f"{name}: {_text(mine[name])} here, {_text(theirs[name])} there" for name in differing]

    def to_json(self) -> dict[str, Any]:
        """JSON's types only."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Any) -> Fingerprint:
        """The inverse of `to_json`.

        Raises:
            BadInput: not an object, a field missing or unknown, or a value of another type.
        """
        from profilers.validation import validate

        value = {"state": UNSTATED, **value} if isinstance(value, dict) else value  # earlier versions stated none
        return validate(cls, value, "a fingerprint")


def fingerprint(profiler: Profiler, options: Options) -> Fingerprint:
    """The fingerprint of this machine, now; of the one where the runtime is, where that is elsewhere."""
    if profiler.place is not None and (said := profiler.place.facts(profiler.name, asdict(options))) is not None:
        return Fingerprint.from_json(said)
    status = profiler.status()
    cpu, affinity, quota = cpu_model(), allowed_cores(), cgroup_quota()
    return Fingerprint(
        device=profiler.device_name() or cpu,
        cpu=cpu,
        cores=physical_cores(),
        quota=quota,
        governor=_governor(),
        max_mhz=_mhz(Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")),
        flags=cpu_flags(),
        runtime=profiler.name,
        runtime_version=status.version,
        **asdict(options),
        cores_effective=min(float(len(affinity)), quota or float("inf")),
        affinity=affinity,
        mhz=_current_mhz(),
        memory_gb=_memory_gb(),
        os=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        placement=placement(affinity, options.threads) if profiler.device == "cpu" else "",
        card=card_identity() if profiler.device == "cuda" else (),
    )


def cpu_model() -> str:
    """Model name with family, model and stepping, because virtual machines often shorten the name."""
    info = _cpuinfo()
    name = info.get("model name") or info.get("Hardware") or platform.processor() or platform.machine()
    detail = [f"{key} {info[key]}" for key in ("cpu family", "model", "stepping", "CPU part") if key in info]
    return f"{name} ({', '.join(detail)})" if detail else name


def cpu_flags() -> tuple[str, ...]:
    """CPU instruction sets that affect inference speed."""
    info = _cpuinfo()
    flags = (info.get("flags") or info.get("Features") or "").split()
    return tuple(sorted(f for f in flags if f in FLAGS or f.startswith(("avx512", "amx")) or "bf16" in f))


def vector_flags(flags: Sequence[str]) -> list[str]:
    """Those of a CPU's flags that decide the layouts of an optimised model."""
    return sorted(VECTORS & set(flags))


def physical_cores() -> int:
    """Cores of the machine without hyper-threads; logical cores where that cannot be read."""
    found = {
        tuple(system_text(folder / "topology" / name) for name in ("physical_package_id", "core_id"))
        for folder in Path("/sys/devices/system/cpu").glob("cpu[0-9]*")
        if (folder / "topology" / "core_id").exists()
    }
    return len(found) or os.cpu_count() or 1


def nvidia_gpu() -> str:
    """Name and driver of the first NVIDIA GPU; "" without one."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _cpuinfo() -> dict[str, str]:
    """The first core's lines of /proc/cpuinfo."""
    pairs = (
        line.split(":", 1) for line in system_text(Path("/proc/cpuinfo")).split("\n\n")[0].splitlines() if ":" in line
    )
    return {key.strip(): value.strip() for key, value in pairs}


def _governor() -> str:
    return system_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"))


def _mhz(path: Path) -> float | None:
    text = system_text(path)
    return round(int(text) / 1e3, 1) if text.isdigit() else None


def _current_mhz() -> float | None:
    text = _cpuinfo().get("cpu MHz", "")
    return round(float(text), 1) if text.replace(".", "", 1).isdigit() else None


def _memory_gb() -> float:
    if sys.platform == "win32":
        return 0.0
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _text(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str("" if value is None else value)
    return text or "none"
