"""Background load: what other processes compute while something is timed, because it makes times less certain."""

from __future__ import annotations

import os
import time
from pathlib import Path

BUSY = 0.3  # cores of background load; results measured under more carry a warning
STAT = Path("/proc/stat")
_IDLE = (3, 4)  # columns idle and iowait of /proc/stat; steal, which counts as busy, is other virtual machines'
_COLUMNS = 8  # user to steal; guest time, behind them, is part of user


class BackgroundLoad:
    """The cores that other processes, or other virtual machines, use from its creation on."""

    def __init__(self, stat: Path = STAT) -> None:
        self.stat = stat
        self.start = self._now()

    def cores(self) -> float:
        """Their mean number; where /proc/stat cannot be read, the one-minute load average without this process."""
        now = self._now()
        if now is None or self.start is None or now[1] <= self.start[1]:
            return max(os.getloadavg()[0] - 1, 0.0) if hasattr(os, "getloadavg") else 0.0
        busy, wall = (b - a for a, b in zip(self.start, now))
        return max(busy / wall, 0.0)

    def _now(self) -> tuple[float, float] | None:
        """CPU seconds of others and clock seconds; None where /proc/stat cannot be read."""
        try:
            ticks = [int(x) for x in self.stat.read_text().split("\n", 1)[0].split()[1:]][:_COLUMNS]
            if len(ticks) < _COLUMNS:
                return None
            busy = sum(t for i, t in enumerate(ticks) if i not in _IDLE) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, AttributeError):
            return None
        own = os.times()
        return busy - own.user - own.system - own.children_user - own.children_system, time.monotonic()
