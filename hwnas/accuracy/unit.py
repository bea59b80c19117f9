"""Percent or fraction: 0.75 may be either, and is never taken silently for 0.75 %.

The rule. Where `unit = "percent"` or `"fraction"` is said in [evaluate], it holds. Where it is not, values are percent,
and a table of which no value is above 1, or a function that answers with a value above 0 and up to 1 before it has
answered with any above 1, is refused with the question which of the two is meant.
"""

from __future__ import annotations

from collections.abc import Iterable

from profilers.errors import BadInput

UNITS = ("percent", "fraction")


class UnusableSource(BadInput):
    """A whole source that cannot be used: not the failure of one network."""


class UnclearUnit(UnusableSource):
    """A source whose values may be fractions."""


class Unit:
    """Turns a source's values into percent; `unit` is one of `UNITS`, or None where it is not said.

    Raises:
        BadInput: another unit.
    """

    def __init__(self, unit: str | None, source: str) -> None:
        if unit is not None and unit not in UNITS:
            raise BadInput(f"evaluate.unit = {unit!r}", ", ".join(UNITS))
        self.unit, self.source, self._clear = unit, source, unit is not None

    def check_all(self, values: Iterable[float]) -> None:
        """UnclearUnit if these, a whole table's, may be fractions."""
        largest = max(values, default=0.0)
        if not self._clear and 0 < largest <= 1:
            raise self._unclear(f"no top1 of {self.source} is above {largest:g}", largest)
        self._clear = True

    def trust(self, known: float) -> None:
        """Values are clear from now on if `known`, the largest that was taken before, is above 1 %."""
        self._clear = self._clear or known > 1

    def percent(self, value: float) -> float:
        """In percent; UnclearUnit if it may be a fraction."""
        if not self._clear and 0 < value <= 1:
            raise self._unclear(f"{self.source} answers {value:g}", value)
        self._clear = self._clear or value > 1
        return 100.0 * value if self.unit == "fraction" else value

    def _unclear(self, got: str, value: float) -> UnclearUnit:
        allowed = f'percent, as in {100 * value:g}, or unit = "fraction" in [evaluate]'
        return UnclearUnit(got, allowed, f'unit = "percent" in [evaluate] if {value:g} % is meant')
