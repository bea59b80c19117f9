"""Stands in for annotated_types where that is missing: marks in annotations, which nothing here checks."""

from __future__ import annotations

from typing import Any


class _Mark:
    """Whatever it is made of, since only pydantic reads it."""

    def __init__(self, *values: Any, **named: Any) -> None:
        self.values, self.named = values, named


class Ge(_Mark):
    """At least."""


class Gt(_Mark):
    """More than."""


class Le(_Mark):
    """At most."""


class Interval(_Mark):
    """Between."""


class Len(_Mark):
    """So many items."""


class MinLen(_Mark):
    """At least so many items."""


class MaxLen(_Mark):
    """At most so many items."""
