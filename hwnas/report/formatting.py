"""Names, numbers and where they come from, for people; everything that is returned is plain text, not HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwnas.export.quantity import HOW
from hwnas.report.data import RunData
from hwnas.search.objectives import COST, LATENCY
from hwnas.search.units import scaled

_LABELS = {
    "top1": "Top-1 accuracy",
    "params": "Parameters",
    "madds": "MAdds",
    "weight_bytes": "Weights",
    "peak_memory": "Peak memory",
}


@dataclass(frozen=True)
class Scale:
    """How an objective's values are shown: divided by `divisor`, in `unit`."""

    label: str
    unit: str
    divisor: float

    @property
    def title(self) -> str:
        """The label with its unit, as on an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def number(self, value: float) -> str:
        """The value, scaled, without its unit."""
        return significant(value / self.divisor)

    def text(self, value: float) -> str:
        """The value with its unit."""
        return f"{self.number(value)} {self.unit}".rstrip()


def label(name: str, kind: str = COST) -> str:
    """An objective's name for people: the latency `cpu_ms` is "CPU latency"."""
    if name in _LABELS:
        return _LABELS[name]
    if kind != LATENCY:
        return name
    device = name.removesuffix("_ms").replace("_", " ")
    if "latency" in device:
        return device
    return f"{device.upper() if len(device) <= 3 else device} latency"


def label_of(run: RunData, name: str) -> str:
    """As `label`, of an objective of a run."""
    info = run.info(name)
    return label(name, info.kind if info else COST)


def scales(run: RunData) -> list[Scale]:
    """(m) how each objective is shown; counts and bytes in a multiple that suits the largest value."""
    found = []
    for i, objective in enumerate(run.objectives):
        largest = float(abs(run.values[:, i]).max(initial=0.0))
        found.append(Scale(label(objective.name, objective.kind), *scaled(objective.unit, largest)))
    return found


def lower(name: str) -> str:
    """A label inside a sentence; what is written in capitals stays so (MAdds, CPU)."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def significant(value: float, digits: int = 3) -> str:
    """Fixed-point text with that many significant digits, at least: 0.0213, 2.13, 97.4, 213, 1,234."""
    if not math.isfinite(value):
        return "–"
    whole = math.floor(math.log10(abs(value))) + 1 if value else 1
    return f"{value:,.{max(0, digits - whole)}f}"


def share(part: int, whole: int) -> str:
    """`3 of 4`."""
    return f"{part:,} of {whole:,}"


def plural(count: int, noun: str) -> str:
    """`1 network`, `2 networks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listing(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def origin(how: str) -> str:
    """The first word of how a number was obtained (measured, predicted, …), or "unknown"."""
    return next((word for word in HOW if how.startswith(word)), "unknown")


def quantity(value: Mapping[str, Any] | None, divisor: float = 1.0) -> str:
    """A datasheet's quantity without its unit, its interval behind it where it has one."""
    if value is None or value.get("value") is None:
        return "–"
    text = significant(value["value"] / divisor)
    if value.get("low") is None or value.get("high") is None:
        return text
    return f"{text} ({significant(value['low'] / divisor)}–{significant(value['high'] / divisor)})"
