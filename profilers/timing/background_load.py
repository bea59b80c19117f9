"""What else the machine computes while something is timed: the more, the less its times are to be trusted."""

from __future__ import annotations

import os
import time
from pathlib import Path

BUSY = 0.3  # cores of other work from which on a result of that time speaks of it
STAT = Path("/proc/stat")
_IDLE = (3, 4)  # columns idle, iowait of /proc/stat; 7 is steal: another virtual machine had the core
_COLUMNS = 8  # guest time, further on, is counted under user already


class BackgroundLoad:
    """Cores that other processes (or, as "steal", other virtual machines) use from its creation on."""

    def __init__(self, stat: Path = STAT) -> None:
        self.stat = stat
        self.start = self._now()

    def cores(self) -> float:
        """Their mean since then; where the system does not tell, the one-minute load beyond this process (or 0)."""
        now = self._now()
        if now is None or self.start is None or now[1] <= self.start[1]:
            return max(os.getloadavg()[0] - 1, 0.0) if hasattr(os, "getloadavg") else 0.0
        busy, wall = (b - a for a, b in zip(self.start, now, strict=True))
        return max(busy / wall, 0.0)

    def _now(self) -> tuple[float, float] | None:
        """Seconds computed by others, and seconds by the clock; None where /proc/stat cannot be read."""
        try:
            ticks = [int(x) for x in self.stat.read_text().split("\n", 1)[0].split()[1:]][:_COLUMNS]
            if len(ticks) < _COLUMNS:
                return None
            busy = sum(t for i, t in enumerate(ticks) if i not in _IDLE) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, AttributeError):
            return None
        own = os.times()
        return busy - own.user - own.system - own.children_user - own.children_system, time.monotonic()
