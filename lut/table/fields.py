"""Reading of what a table's file holds: one TableError with what was got, what is allowed, and what mends it."""

from __future__ import annotations

from typing import Any, TypeVar

from profilers.errors import TableError, shown

T = TypeVar("T")
REMEDY = "build or import the table again"


def checked(kind: type[T], value: Any, where: str) -> T:
    """`value` as an instance of `kind` (`profilers.validation`); TableError if it does not fit."""
    from profilers.validation import Style, validate

    return validate(kind, value, where, Style(TableError, REMEDY))


def number(value: Any, low: float, high: float, where: str) -> float:
    """`value` as a float; TableError unless it is a finite number within low..high."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise TableError(f"{where} is {shown(value)}", f"a number from {low:g} to {high:g}", REMEDY)
    return float(value)
