"""Waiting for quiet moments: whether somebody else computes on the same core, as a fixed piece of work shows.

The second hardware thread of a virtual machine's core may be somebody else's. Such a neighbour comes and goes within
seconds, no system counter shows it, and it slows different layers differently, so that dividing it out is not exact. It
can be seen: where it let a MobileNetV3 take 1.16 times its time, a loop of plain Python took 1.66 times its own.
"""

from __future__ import annotations

import math
from collections import deque
from weakref import WeakKeyDictionary

import numpy as np

from profilers.base import Clock

SLOWED = 1.3  # times what the work takes in the quickest moments: a neighbour, not a change of the core's frequency
QUICKEST = 0.02  # quantile of what was seen
RECENT = 5000  # looks, a minute or more; a machine that is never quiet for so long is taken as it is
OFTEN = 0.1  # share of blocks from which on a result of that time speaks of neighbours
_SEEN: WeakKeyDictionary[Clock, deque[float]] = WeakKeyDictionary()  # by clock: what other calls saw counts too


def remarks(shared: float) -> list[str]:
    """What a user should know of such a share of blocks with a neighbour: one line or none."""
    if shared <= OFTEN:
        return []
    return [
        f"somebody else computed on the same core at {shared:.0%} of the blocks (waited for as far as patience goes, "
        "the rest is divided out): times are less certain than on a core of one's own"
    ]


class Quiet:
    """Waits in one call of the timing loop; `patience` is how long at most, as a share of the time spent otherwise."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self.clock, self.patience = clock, patience
        self.seen = _SEEN.setdefault(clock, deque(maxlen=RECENT))
        self.started, self.waited, self.limit = clock.wall(), 0.0, math.inf
        self.looks, self.shared = 0, 0

    @property
    def share(self) -> float:
        """Of the blocks since something was learnt, those with a neighbour."""
        return self.shared / max(self.looks, 1)

    def learn(self) -> None:
        """Look anew how long the work takes in quick moments; once a round, since it sorts."""
        if self.seen:
            self.limit = SLOWED * float(np.quantile(self.seen, QUICKEST))

    def wait(self) -> None:
        """Return when the core is quiet or patience is at an end."""
        probe, wall = self.clock.probe, self.clock.wall
        probe()  # brings itself back into the caches
        self.seen.append(probe())
        self.looks += self.limit < math.inf
        if self.seen[-1] <= self.limit:
            return
        self.shared += 1
        start = wall()
        most = self.patience * (start - self.started - self.waited)
        while probe() > self.limit and wall() - start + self.waited < most:
            pass
        self.waited += wall() - start
