"""Whether somebody else computes on the same core, as a fixed piece of work shows.

The second hardware thread of a virtual machine's core may be somebody else's. Such a neighbour comes and goes within
milliseconds to seconds, and no system counter shows it. It can be seen: where it lets a MobileNetV3 take 1.16 times its
time, a loop of plain Python takes 1.66 times its own. Its effect is taken out by the quick moments of a measurement
(`profilers.timing.drift`); how often it was seen is reported.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from profilers.timing.clock import Clock

SLOWED = 1.3  # times what the work takes in the quickest moments: a neighbour, not a change of the core's frequency
QUICKEST = 0.02  # quantile of what was seen
RECENT = 5000  # probes kept
OFTEN = 0.1  # share of blocks from which on a result of that time speaks of neighbours


def remarks(share: float) -> list[str]:
    """What a user should know of such a share of contended blocks: one line or none."""
    if share <= OFTEN:
        return []
    return [
        f"other work was seen on the same core at {share:.0%} of the blocks: times are less certain than on a core of "
        "one's own, and those of another minute may differ by more than the interval"
    ]


class Contention:
    """Probes the core before each block of one measurement."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seen: deque[float] = deque(maxlen=RECENT)

    def look(self) -> None:
        """Before a block; the first probe brings the probe itself back into the caches."""
        self.clock.probe()
        self.seen.append(self.clock.probe())

    @property
    def contended_fraction(self) -> float:
        """Of the probes, those that took clearly longer than the quickest."""
        if not self.seen:
            return 0.0
        times = np.array(self.seen)
        return float((times > SLOWED * np.quantile(times, QUICKEST)).mean())
