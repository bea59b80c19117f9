"""Numbers of a datasheet: a quantity says how it was obtained, a parity how far an engine is from its reference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from profilers.constraints import Count, NotNegative, Pattern, Share
from profilers.errors import BadInput

HOW = ("measured", "predicted", "estimated", "exact", "computed", "evaluated", "imported", "fitted", "not measured")
How = Annotated[str, Pattern(rf"({'|'.join(HOW)})[\s\S]*", f"a word of {', '.join(HOW)} first")]


@dataclass(frozen=True)
class Quantity:
    """A number with its unit, how it was obtained, and its interval."""

    value: float | None
    """None where it is not known; `how` says why."""
    unit: str
    """Such as ms or %; empty for a count."""
    how: How
    """How it was obtained, one word first, then details."""
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""

    def __post_init__(self) -> None:
        if not self.how.startswith(HOW):
            raise BadInput(f"a quantity obtained by {self.how!r}", f"a word of {', '.join(HOW)} first")

    def to_json(self) -> dict[str, Any]:
        """All fields that are known."""
        return {k: v for k, v in vars(self).items() if v is not None or k == "value"}

    def __str__(self) -> str:
        if self.value is None:
            return self.how
        number = f"{self.value:,.0f}" if self.unit == "" else f"{plain(self.value)} {self.unit}"
        interval = "" if self.low is None or self.high is None else f" ({plain(self.low)} to {plain(self.high)})"
        return f"{number}{interval}, {self.how}"


def plain(value: float) -> str:
    """Four digits, and large numbers without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


@dataclass(frozen=True)
class OutputParity:
    """How far one output is from the reference's."""

    max_abs: NotNegative
    """Largest absolute difference."""
    max_rel: NotNegative
    """The same, relative to the largest value; of whole numbers the share that differs."""


@dataclass(frozen=True)
class Parity:
    """How far an engine's outputs are from the reference's."""

    max_abs: NotNegative
    """Largest absolute difference, of all outputs."""
    max_rel: NotNegative
    """The same, relative to the largest value, of the worst output; of whole numbers the share that differs."""
    top1_agreement: Share | None
    """Share of images with the same class; null where the model is no classifier."""
    images: Count
    """Images, or other inputs, that were compared."""
    outputs: dict[str, OutputParity] = field(default_factory=dict)
    """Each output by its name, where there are several."""

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)
