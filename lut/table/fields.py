"""Strict reading of JSON values that come from a file: every field has a type and bounds, or the file is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from profilers.errors import TableError

T = TypeVar("T")
_REBUILD = "build or import the table again"
_DEEPEST = 12


class Fields:
    """The fields of one JSON object; every accessor raises TableError naming the field and what it must be."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise refuse(where, value, "an object")
        self._value: dict[str, Any] = value
        self._where = where

    @property
    def raw(self) -> dict[str, Any]:
        """The object itself."""
        return self._value

    def number(self, name: str, low: float, high: float) -> float:
        """A finite number within low..high."""
        return number(self._get(name), low, high, self._at(name))

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number within low..high."""
        return integer(self._get(name), low, high, self._at(name))

    def text(self, name: str, allowed: tuple[str, ...] | None = None, longest: int = 300) -> str:
        """A string, one of `allowed` if given."""
        value = self._get(name)
        if not isinstance(value, str) or len(value) > longest or (allowed is not None and value not in allowed):
            raise refuse(
                self._at(name), value, ", ".join(allowed) if allowed else f"text of at most {longest} characters"
            )
        return value

    def list(self, name: str, longest: int) -> list[Any]:
        """A list of at most `longest` values."""
        value = self._get(name)
        if not isinstance(value, list) or len(value) > longest:
            raise refuse(self._at(name), value, f"a list of at most {longest} values")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise refuse(self._at(name), value, "an object")
        return value

    def optional(self, name: str, read: Callable[[Any], T]) -> T | None:
        """None where the field is null, else what `read` makes of it."""
        value = self._get(name)
        return None if value is None else read(value)

    def free(self, name: str) -> dict[str, Any]:
        """An object of any content, as long as it is plain JSON with finite numbers."""
        value = self.mapping(name)
        check_plain(value, self._at(name))
        return value

    def exactly(self, names: set[str]) -> None:
        """Refuse unknown and missing fields."""
        if set(self._value) != names:
            odd = sorted(set(self._value) ^ names)[:3]
            raise refuse(self._where, odd, f"exactly the fields {', '.join(sorted(names))}")

    def _get(self, name: str) -> Any:
        if name not in self._value:
            raise TableError(f"{self._at(name)} is missing", remedy=_REBUILD)
        return self._value[name]

    def _at(self, name: str) -> str:
        return f"{self._where}: {name!r}"


def refuse(where: str, value: Any, allowed: str) -> TableError:
    """The error for a field that is not what it must be; long values are cut."""
    shown = repr(value)
    return TableError(f"{where} is {shown[:60]}{'…' if len(shown) > 60 else ''}", allowed, _REBUILD)


def number(value: Any, low: float, high: float, where: str) -> float:
    """`value` as a float; TableError unless it is a finite number within low..high."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise refuse(where, value, f"a number from {low:g} to {high:g}")
    return float(value)


def integer(value: Any, low: int, high: int, where: str) -> int:
    """`value`; TableError unless it is an integer within low..high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(where, value, f"an integer from {low} to {high}")
    return value


def check_plain(value: Any, where: str, depth: int = 0) -> None:
    """TableError unless `value` is JSON of finite numbers, not nested too deeply."""
    if depth > _DEEPEST:
        raise TableError(f"{where} is nested more than {_DEEPEST} deep", remedy=_REBUILD)
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(where, value, "a finite number")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            check_plain(item, where, depth + 1)
