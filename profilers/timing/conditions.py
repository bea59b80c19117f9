"""What disturbed a measurement, as the device's own sensors say, and which blocks are rejected for it.

    R  rounds      S  sessions      throttled (R, S)  whether a block ran while its device was slowed down

The rule, fixed beforehand. A block is rejected if the reading before it or the one after it names a slowdown by heat or
by the hardware, or if a counter of such slowdowns rose between them. Where more than `MOST` of a model's blocks ran so,
that is the speed which the device keeps up: nothing is rejected for it, and the result says so. A card at its power
limit is in its ordinary state under load; that is counted and no block is rejected for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.timing.sensors import CpuSensor, Facts, Reading, Sensor, sensor_of

Bools = NDArray[np.bool_]

MOST = 0.5  # share of a model's blocks under throttling up to which they are rejected
FLOATING = 1.02  # highest to lowest clock between blocks, above which it counts as floating
OFTEN = 0.5  # share of blocks at the power limit; results with more carry a remark
STEADY_GOVERNORS = ("performance", "userspace")  # of a CPU: its clock is not lowered between runs


@dataclass(frozen=True)
class Conditions:
    """What a device's sensors said around the blocks of one model; all that was timed together shares the facts.

    A `throttled` block is rejected, unless `kept` says that most of them were throttled, so that none was.
    """

    sensor: str = ""
    """What was read: NVML, or files of the system; empty where the device has no sensor."""
    missing: str = ""
    """What could not be read, and why; empty where all could."""
    throttled: int = 0
    """Blocks that ran while the device was slowed down by heat or by its hardware."""
    kept: bool = False
    """Whether these were kept, because they were most of the blocks."""
    reasons: list[str] = field(default_factory=list)
    """Why the device was slowed down, in the sensor's words."""
    limited: int = 0
    """Blocks at the power limit; they are kept."""
    low_mhz: float | None = None
    """Lowest clock between blocks; null where it cannot be read."""
    high_mhz: float | None = None
    """Highest clock between blocks."""
    blocks: int = 0
    """Of the model, rejected ones included."""
    before: dict[str, Any] = field(default_factory=dict)
    """The device before the measurement: clocks, power, temperature, other processes, as far as they can be read."""
    after: dict[str, Any] = field(default_factory=dict)
    """The same after it."""
    remedy: str = ""
    """How to keep the clock from floating; MHZ stands for a clock."""

    @property
    def told(self) -> bool:
        """Whether there was a sensor that could be read at all, or it is said why not."""
        return bool(self.sensor or self.missing)

    @property
    def floats(self) -> bool:
        """Whether the clock changed between blocks."""
        return bool(self.low_mhz and self.high_mhz and self.high_mhz > FLOATING * self.low_mhz)

    def to_json(self) -> dict[str, Any]:
        """JSON's types only."""
        return asdict(self)

    def remarks(self) -> list[str]:
        """What a user should know of it, a line each."""
        return [line for line in (self._heat(), self._power(), self._others(), self._clock()) if line]

    def _heat(self) -> str:
        if not self.throttled:
            return ""
        why = ", ".join(self.reasons) or "slowed down"
        what = (
            "where they were most they were kept: it is the speed that the device keeps up" if self.kept else "rejected"
        )
        return f"{self.throttled} of {self.blocks} blocks ran while the device was throttled ({why}); {what}"

    def _power(self) -> str:
        share = self.limited / self.blocks if self.blocks else 0.0
        if share <= OFTEN:
            return ""
        return f"the device was at its power limit at {share:.0%} of the blocks: its clock depends on what it computes"

    def _others(self) -> str:
        seen = (facts.get("other_processes") for facts in (self.before, self.after))
        count = int(max(n if isinstance(n, (int, float)) else 0 for n in seen))
        return f"{count} other process{'es' if count > 1 else ''} on the card while models were timed" if count else ""

    def _clock(self) -> str:
        governor = self.before.get("governor")
        if self.low_mhz and self.high_mhz and self.floats:
            hold = self.remedy.replace("MHZ", f"{self.low_mhz:.0f}")
            return f"the clock floated between {self.low_mhz:.0f} and {self.high_mhz:.0f} MHz; to hold it: {hold}"
        if isinstance(governor, str) and governor.isidentifier() and governor not in STEADY_GOVERNORS:
            return f"the CPU's clock floats (governor {governor}); to hold it: {self.remedy}"
        return ""


def merged(found: Sequence[Conditions]) -> Conditions:
    """Of several models, or several measurements one after the other, as one; the default of none."""
    told = [one for one in found if one.told]
    if not told:
        return Conditions()
    clocks = [mhz for one in told for mhz in (one.low_mhz, one.high_mhz) if mhz is not None]
    return replace(
        told[0],
        throttled=sum(one.throttled for one in told),
        kept=any(one.kept for one in told),
        reasons=sorted({reason for one in told for reason in one.reasons}),
        limited=sum(one.limited for one in told),
        low_mhz=min(clocks, default=None),
        high_mhz=max(clocks, default=None),
        blocks=sum(one.blocks for one in told),
        after=told[-1].after,
    )


class Watch:
    """Reads the sensors of the sessions of one call of the timing loop: at once, around each block, and at `finish`."""

    def __init__(self, sessions: Sequence[Any]) -> None:
        cpu = CpuSensor()
        self.sensors: list[Sensor] = [sensor_of(session, cpu) for session in sessions]
        self.before = self.facts()
        self.after: list[Facts] = [{} for _ in sessions]
        self.readings: list[list[Reading]] = [[] for _ in sessions]
        self.rows: list[Bools] = []

    def facts(self) -> list[Facts]:
        """Of each session's device; one that several sessions share is asked once."""
        asked = {id(sensor): sensor.facts() for sensor in self.sensors}
        return [asked[id(sensor)] for sensor in self.sensors]

    def begin_round(self) -> None:
        """Whatever is looked at next belongs to another round."""
        self.rows.append(np.zeros(len(self.sensors), bool))

    def look(self, i: int) -> None:
        """Before a block of session i."""
        self.readings[i].append(self.sensors[i].look())

    def close(self, i: int) -> None:
        """After it."""
        before, after = self.readings[i][-1], self.sensors[i].look()
        self.readings[i].append(after)
        self.rows[-1][i] = bool(before.throttled or after.throttled or _rose(before.counts, after.counts))

    def finish(self) -> None:
        """After the last block."""
        self.after = self.facts()

    def throttled(self, i: int) -> Bools:
        """(R,) the blocks of session i that ran under throttling."""
        return np.array([row[i] for row in self.rows], bool)

    def rejected(self, i: int) -> Bools:
        """(R,) those of them that the rule rejects."""
        found = self.throttled(i)
        return found & bool(found.size and found.mean() <= MOST)

    def conditions(self, i: int) -> Conditions:
        """What to keep with the samples of session i."""
        sensor, throttled, seen = self.sensors[i], self.throttled(i), self.readings[i]
        clocks = [reading.mhz for reading in seen if reading.mhz is not None]
        words = {word for reading in seen for word in reading.throttled}
        if throttled.any() and not words:
            words = {"a counter of thermal slowdowns rose"}
        return Conditions(
            sensor=sensor.name,
            missing=sensor.missing,
            throttled=int(throttled.sum()),
            kept=bool(throttled.any() and not self.rejected(i).any()),
            reasons=sorted(words),
            limited=sum(bool(a.limited or b.limited) for a, b in zip(seen[::2], seen[1::2])),
            low_mhz=min(clocks, default=None),
            high_mhz=max(clocks, default=None),
            blocks=len(throttled),
            before=self.before[i],
            after=self.after[i],
            remedy=sensor.remedy,
        )


def _rose(before: Sequence[int], after: Sequence[int]) -> bool:
    return len(before) == len(after) and any(b > a for a, b in zip(before, after))
