"""Marks that say in an annotation what a field may hold, beside those of `annotated_types`. No pydantic here.

Dataclasses that are read from files stand in modules which must import quickly, or without pydantic. So their
annotations hold plain marks; `profilers.validation` reads them when a file is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Interval, MaxLen

MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Pattern:
    """A text that matches the regular expression as a whole; `meaning` is how an error says so."""

    regex: str
    meaning: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """For pydantic: the text's own schema, then this check."""
        from pydantic_core import PydanticCustomError, core_schema

        matches = re.compile(self.regex).fullmatch

        def check(text: str) -> str:
            if not matches(text):
                raise PydanticCustomError("pattern", "{meaning}", {"meaning": self.meaning})
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        """For pydantic: the same in the JSON Schema."""
        return {**handler(schema), "pattern": f"^(?:{self.regex})$"}


@dataclass(frozen=True)
class OneOf:
    """One of some names."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """For pydantic: a literal."""
        from pydantic_core import core_schema

        return core_schema.literal_schema(list(self.names))


@dataclass(frozen=True)
class AlsoText:
    """A field that may also be written as a text, which `parse` reads; `example` goes into the JSON Schema."""

    parse: Callable[[str], Any]
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """For pydantic: a text is parsed, a list is what a tuple is written as."""
        from pydantic_core import core_schema

        def read(value: Any) -> Any:
            if isinstance(value, str):
                return self.parse(value)
            return tuple(value) if isinstance(value, list) else value

        return core_schema.no_info_before_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        """For pydantic: the same in the JSON Schema."""
        return {"anyOf": [handler(schema), {"type": "string", "examples": [self.example]}]}


Text = Annotated[str, MaxLen(MOST_CHARACTERS)]
Count = Annotated[int, Interval(ge=1, le=10**9)]
Seed = Annotated[int, Interval(ge=0, le=2**63 - 1)]
Share = Annotated[float, Interval(ge=0, le=1)]
LEAST_MS, MOST_MS = 1e-6, 1e7  # a nanosecond to nearly three hours; others are not believed
Milliseconds = Annotated[float, Interval(ge=0, le=MOST_MS)]
Latency = Annotated[float, Interval(gt=0, le=MOST_MS)]
NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Name = Annotated[str, Pattern(r"[A-Za-z0-9_-]{1,100}", "letters a to z, digits, _ and -, at most 100 of them")]
"""What can be a key of a TOML file, the name of a file and a column of a table."""
