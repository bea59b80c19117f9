"""Stands in for pydantic_core where that is missing: a schema is a function that reads a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Read = Callable[[Any], Any]


class PydanticCustomError(ValueError):
    """A value that a mark of ours refuses."""


class core_schema:  # noqa: N801  the name of pydantic's module
    """The schemas that hwnas's own marks make."""

    @staticmethod
    def no_info_after_validator_function(function: Read, schema: Read) -> Read:
        """First the schema, then the function."""
        return lambda value: function(schema(value))

    @staticmethod
    def no_info_before_validator_function(function: Read, schema: Read) -> Read:
        """First the function, then the schema."""
        return lambda value: schema(function(value))

    @staticmethod
    def literal_schema(names: list[str]) -> Read:
        """One of the names."""

        def read(value: Any) -> Any:
            if value not in names:
                raise PydanticCustomError(f"{value!r} is none of {names}")
            return value

        return read
