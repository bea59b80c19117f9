"""An independent measurement of a latency: `profilers.timing.plain_loop`, run in a fresh process."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

from profilers import temporary
from profilers.base import STEADY, Options, Profiler
from profilers.errors import MeasurementFailed
from profilers.timing import plain_loop

SECONDS = 5.0
LIMIT = 120.0


def fresh_process_missing(profiler: Profiler, options: Options) -> str:
    """Why this measurement cannot be checked by a plain loop; "" where it can."""
    if profiler.name not in plain_loop.ENGINES:
        return f"no plain loop for {profiler.name}"
    if options.state != STEADY:
        return f"a plain loop measures the state {STEADY}, not {options.state}"
    return "" if not options.optimization else "a plain loop has the runtime's own optimisation level"


def fresh_process_ms(engine: str, model: bytes, threads: int, precision: str, seconds: float | None = None) -> float:
    """Milliseconds of a run, 5 % quantile of back-to-back runs in a fresh process on this thread's cores.

    Raises:
        MeasurementFailed: the process failed, or did not end in time.
    """
    seconds = SECONDS if seconds is None else seconds
    with temporary.scratch("plain") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model)
        command = [sys.executable, "-c", _program(), engine, str(path), "--seconds", str(seconds)]
        command += ["--threads", str(threads), "--precision", precision]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired as error:
            raise MeasurementFailed(f"a plain loop of {engine} did not end within {LIMIT:g} s") from error
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise MeasurementFailed(f"a plain loop of {engine} failed: {last}")
    return float(json.loads(done.stdout)["quick_ms"])


def _program() -> str:
    """The plain loop's text: on a device elsewhere it lies in a zip, and is no file that Python runs."""
    return (pkgutil.get_data("profilers.timing", "plain_loop.py") or b"").decode("utf-8")
