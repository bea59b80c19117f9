"""Contention: whether other work runs on the same core, detected by how long a fixed piece of work takes.

The sibling hyper-thread of a virtual machine's core may belong to another tenant, whose work starts and stops within
milliseconds to seconds and is not visible in any system counter. A loop of plain Python is slowed by it more than a
network is (docs/measurement.md). The slowdown is divided out (`profilers.timing.drift`); the share of contended blocks
is reported.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from profilers.timing.clock import Clock

SLOWED = 1.3  # times the fastest probes: more than a change of the core's frequency explains
FASTEST = 0.02  # quantile of the probes
RECENT = 5000  # probes kept
OFTEN = 0.1  # share of contended blocks; results with more carry a warning


def remarks(contended_fraction: float) -> list[str]:
    """A warning for the user, one line, where so large a share of the blocks was contended."""
    if contended_fraction <= OFTEN:
        return []
    return [
        f"other work ran on the same core at {contended_fraction:.0%} of the blocks: the intervals may be too narrow, "
        "and a measurement at another time may differ by more; measure on a core of your own if you can"
    ]


class Contention:
    """Probes the core before each block of one measurement."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seen: deque[float] = deque(maxlen=RECENT)

    def look(self) -> None:
        """Probe before a block; a first, unrecorded probe warms the caches."""
        self.clock.probe()
        self.seen.append(self.clock.probe())

    @property
    def contended_fraction(self) -> float:
        """Share of the probes that took clearly longer than the fastest."""
        if not self.seen:
            return 0.0
        times = np.array(self.seen)
        return float((times > SLOWED * np.quantile(times, FASTEST)).mean())
