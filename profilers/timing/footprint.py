"""Cold start and memory of an engine, found in the process that calls this: a fresh one gives the figures of a start.

`profilers.footprint` starts one on this machine, `profilers.devices.building` on a device elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from profilers.base import Options, Profiler
from profilers.timing.pinning import pin


@dataclass(frozen=True)
class Footprint:
    """Milliseconds of loading and of the first run, without importing the runtime; resident memory in MB.

    `before_mb` is the process's before the engine was loaded, with the runtime imported, `peak_mb` its highest. Both
    are None where /proc/self/status (Linux) cannot be read.
    """

    load_ms: float
    first_run_ms: float
    before_mb: float | None
    peak_mb: float | None


def footprint(profiler: Profiler, model: Path, options: Options) -> Footprint:
    """Load an ONNX model or the first file of an engine, and run it once, in this process.

    Raises:
        BadInput, EngineUnavailable, FileProblem: as `Profiler.open`.
    """
    profiler.status()  # imports the runtime
    before = memory("VmRSS")
    with pin(options.threads):
        start = time.perf_counter()
        session = profiler.open(model, options)
        loaded = time.perf_counter()
        session.run()
        ran = time.perf_counter()
    peak = memory("VmHWM")
    session.close()
    return Footprint(1e3 * (loaded - start), 1e3 * (ran - loaded), before, peak)


def memory(field: str) -> float | None:
    """A field of /proc/self/status in MB of 1e6 bytes; `ru_maxrss` would include the parent's memory before exec."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return found[0] * 1024 / 1e6 if found else None
