"""How a run stands: evaluated of how many, how fast, when it will end, what failed."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass

from hwnas.search.archive import FAILED
from hwnas.search.run import Run

SEEN = 40  # changes by which the pace is judged
SILENT = 20.0  # times as long as an evaluation usually takes, after which a run seems to have ended
LEAST_SILENCE = 120.0  # s
LONGEST = 160  # characters of a reason


@dataclass(frozen=True)
class Standing:
    """`seconds` an evaluation has taken in the mean; `reasons` of failures, the most frequent first."""

    name: str
    evaluated: int
    total: int
    iteration: int
    iterations: int
    seconds: float
    reasons: tuple[tuple[str, int], ...]

    @property
    def finished(self) -> bool:
        """Whether every network that it was to evaluate has been."""
        return self.evaluated >= self.total

    @property
    def failed(self) -> int:
        """Evaluations without a value."""
        return sum(count for _, count in self.reasons)


def standing(name: str, run: Run) -> Standing:
    """Of an open run."""
    rows, steps, settings = run.archive.evaluations(), run.archive.iterations(), run.config.search
    spent = sum(row.seconds for row in rows) + sum(step.get("seconds_search", 0.0) for step in steps)
    reasons = Counter(" ".join((row.error or "no reason given").split()) for row in rows if row.status == FAILED)
    last = max((row.iteration for row in rows), default=0)
    each = spent / len(rows) if rows else 0.0
    return Standing(
        name, len(rows), settings.evaluations, last, settings.iterations, each, tuple(reasons.most_common())
    )


class Pace:
    """When evaluations were seen to arrive."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=SEEN)

    def note(self, evaluated: int, now: float) -> None:
        """There are so many at this moment (s)."""
        if not self._seen or evaluated != self._seen[-1][1]:
            self._seen.append((now, evaluated))

    @property
    def seconds(self) -> float | None:
        """Between two evaluations, as they arrived; None before the second change."""
        if len(self._seen) < 3:
            return None
        (first, before), (last, after) = self._seen[1], self._seen[-1]  # what was there at first arrived at any time
        return (last - first) / (after - before) if after > before else None

    def silent(self, now: float) -> float:
        """Seconds since the last change."""
        return now - self._seen[-1][0] if self._seen else 0.0


def line(found: Standing, pace: Pace, now: float) -> str:
    """The run in a line or two."""
    parts = [f"{found.name}: {found.evaluated:,} of {found.total:,} networks"]
    parts.append(f"iteration {found.iteration} of {found.iterations}")
    parts.append(_end(found, pace, now))
    lines = [", ".join(part for part in parts if part)]
    if found.reasons:
        reason, count = found.reasons[0]
        short = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]} …"
        more = f" ({count} of them)" if len(found.reasons) > 1 else ""
        lines.append(f"{found.failed} failed: {short}{more}")
    return "\n".join(lines)


def _end(found: Standing, pace: Pace, now: float) -> str:
    """What is left, and until when; or that nothing arrives any more."""
    if found.finished:
        return "finished"
    each, seen = pace.seconds or found.seconds, pace.seconds is not None
    quiet = pace.silent(now)
    if quiet > max(LEAST_SILENCE, SILENT * each):
        return f"no evaluation for {duration(quiet)}: it may have been stopped"
    if not each:
        return "" if found.evaluated else "nothing evaluated yet"
    left = each * (found.total - found.evaluated)
    until = time.strftime("%a %H:%M", time.localtime(time.time() + left))
    how = "at the pace seen" if seen else "if one is evaluated after the other"
    return f"about {duration(left)} left, until {until} ({how})"


def duration(seconds: float) -> str:
    """40 s, 12 min, 3 h 20 min.

    >>> duration(40), duration(700), duration(12000)
    ('40 s', '12 min', '3 h 20 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
