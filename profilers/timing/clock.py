"""Clocks: what the timing loop reads around a run."""

from __future__ import annotations

import time
from typing import Protocol

_PROBE_STEPS = 1000  # some 25 microseconds


class Clock(Protocol):
    """What the timing loop reads around a run."""

    def wall(self) -> float:
        """Seconds that have passed."""

    def cpu(self) -> float:
        """Seconds that all threads of this process have computed."""

    def probe(self) -> float:
        """Milliseconds of a fixed piece of work on this core; 0 where what is timed runs elsewhere."""


class SystemClock:
    """The machine's monotonic clock and the process's CPU time."""

    def wall(self) -> float:
        """Seconds."""
        return time.perf_counter()

    def cpu(self) -> float:
        """Seconds."""
        return time.process_time()

    def probe(self) -> float:
        """Milliseconds of a loop of plain Python, which contention for the core slows more than it slows a model."""
        started, x = time.perf_counter(), 0
        for i in range(_PROBE_STEPS):
            x += i
        return 1e3 * (time.perf_counter() - started)
