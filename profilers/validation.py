"""The one layer that checks what was read: a type's annotations are its rules, its messages and its JSON Schema.

The types are frozen dataclasses, TypedDicts and NamedTuples. Everything is strict: no key that is not declared, no
number written as text, no number that is not finite. The first and most telling fault becomes one line.
pydantic is imported here and nowhere else, and this module only where something is checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, NewType, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from profilers.errors import LARGEST, BadInput, nearest, shown

T = TypeVar("T")
_new_type: Any = NewType  # called with types that mypy cannot know
Place = tuple[str | int, ...]
CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)
DEEPEST = 60
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")


@dataclass(frozen=True)
class Style:
    """How the errors of one kind of file read.

    Args:
        error: the class that is raised.
        remedy: what mends the file, where no key is misspelt.
        section: the word for a mapping.
    """

    error: type[BadInput] = BadInput
    remedy: str = ""
    section: str = "an object"


def validate(kind: type[T], value: Any, where: str, style: Style | None = None) -> T:
    """`value`, as JSON or TOML gives it, as an instance of `kind`.

    Args:
        kind: a dataclass, TypedDict, NamedTuple or any annotation of them.
        value: what was read; nothing in it is trusted.
        where: the source, for the message.
        style: of the message.

    Raises:
        BadInput, or the style's class: what was got and where, what is allowed, what mends it.
    """
    report = _Report(kind, where, style or Style())
    text = _as_json(value, report)
    try:
        found: T = _adapter(report.kind).validate_json(text)
        return found
    except ValidationError as error:
        raise report.of(error, value) from None
    except BadInput as error:  # a rule over several fields, from a `__post_init__`
        raise report.style.error(f"{where}: {error.got}", error.allowed, error.remedy) from error


def check_fields(instance: Any) -> None:
    """For a `__post_init__`: BadInput unless each field of a dataclass is what its annotation says."""
    kind: Any = type(instance)
    for name, adapter in _field_adapters(kind):
        try:
            adapter.validate_python(getattr(instance, name))
        except ValidationError as error:
            raise _Report(kind, "", Style()).of(error, instance, (name,)) from None


def check_plain(value: Any, where: str) -> None:
    """BadInput unless `value` consists of what JSON and TOML can hold: texts, finite numbers, lists and mappings."""
    _Report(Any, where, Style()).refuse_odd(value)


class _Untitled(GenerateJsonSchema):
    """Without a title for each key that is the key again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


@cache
def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `validate` takes."""
    return _adapter(kind).json_schema(schema_generator=_Untitled)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Of a new type, because a dataclass itself would want to bring its own configuration."""
    return TypeAdapter(_new_type("document", kind), config=CONFIG)


@cache
def _field_adapters(kind: Any) -> list[tuple[str, TypeAdapter[Any]]]:
    hints = get_type_hints(kind, include_extras=True)
    return [(f.name, _adapter(hints[f.name])) for f in fields(kind)]


def _as_json(value: Any, report: _Report) -> bytes:
    """JSON, because strict mode takes lists for tuples and texts for paths there only."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        text = b""
    if not text or b"\\u0000" in text:
        report.refuse_odd(value)
    return text


def _odd(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any, str]]:
    """(place, value, what is allowed) of what no file of ours can hold, whatever its type."""
    if len(place) > DEEPEST:
        yield place[:4], value, f"at most {DEEPEST} levels"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _odd_text(key, place)
            yield from _odd(item, (*place, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _odd(item, (*place, index))
    elif isinstance(value, str):
        yield from _odd_text(value, place)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield place, value, "a finite number"
    elif value is not None and not (isinstance(value, int) and -LARGEST <= value < LARGEST):
        yield place, value, ""


def _odd_text(text: Any, place: Place) -> Iterator[tuple[Place, Any, str]]:
    if not isinstance(text, str) or re.search("[\0\ud800-\udfff]", text):
        yield place, text, "text in Unicode without NUL"


@dataclass(frozen=True)
class _Report:
    """Turns a fault into one line."""

    kind: Any
    where: str
    style: Style

    def of(self, error: ValidationError, value: Any, inside: Place = ()) -> BadInput:
        """The line of the first and most telling fault: unknown keys, then missing ones, then values."""
        faults = error.errors(include_url=False)
        fault = min(faults, key=lambda f: (f["type"] not in _UNKNOWN, f["type"] != "missing"))
        place: Place = (*inside, *fault["loc"])
        if fault["type"] == "json_invalid":
            self.refuse_odd(value)
        if fault["type"] in _UNKNOWN:
            return self._unknown(place)
        if fault["type"] == "missing" and isinstance(place[-1], str):
            others = [f["loc"] for f in faults if f["type"] == "missing" and f["loc"][:-1] == fault["loc"][:-1]]
            return self._missing(place, [str(loc[-1]) for loc in others])
        if place and place[-1] == "[key]":
            return self._name(place, fault)
        if fault["type"] in ("missing", "unexpected_positional_argument"):  # a list that is too short, or too long
            return self._value(place[:-1], fault["input"])
        return self._value(place, fault["input"], fault["msg"] if fault["type"] == "pattern" else "")

    def refuse_odd(self, value: Any) -> None:
        """Raise the line of the first value that no file of ours can hold."""
        for place, what, allowed in _odd(value):
            raise self._value(place, what, allowed)

    def _value(self, place: Place, value: Any, allowed: str = "") -> BadInput:
        """The line of a value that does not fit; `allowed` is by default what the schema says."""
        node = self._node(place)
        near = nearest(value, list(map(str, node.get("enum", ())))) if isinstance(value, str) else ""
        got = f"{self._at(place)} {'=' if place else 'is'} {shown(value)}"
        return self._error(got, allowed or _allowed(node, self.style.section), near)

    def _name(self, place: Place, fault: Any) -> BadInput:
        """The line of a key that may not be called so."""
        words = _allowed(self._node(place[:-2]).get("propertyNames", {}), self.style.section)
        got = f"{self._at(place[:-2])}: the name {shown(fault['input'])}"
        return self._error(got, fault["msg"] if fault["type"] == "pattern" else words)

    def _unknown(self, place: Place) -> BadInput:
        names, name = list(self._node(place[:-1]).get("properties", ())), str(place[-1])
        near = nearest(name, names)
        return self._error(f"{self._at(place[:-1])}: unknown key {shown(name)}", near or ", ".join(names), near)

    def _missing(self, place: Place, names: list[str]) -> BadInput:
        what = _allowed(self._node((*place[:-1], names[0])), self.style.section)
        return self._error(f"{self._at(place[:-1])} lacks {', '.join(names)}", f"{names[0]} = {what}")

    def _error(self, got: str, allowed: str, remedy: str = "") -> BadInput:
        return self.style.error(got, allowed, remedy or self.style.remedy)

    def _at(self, place: Place) -> str:
        return ": ".join(x for x in (self.where, ".".join(map(_word, place))) if x)

    def _node(self, place: Place) -> dict[str, Any]:
        """What the JSON Schema says of a place; nothing where it says nothing."""
        schema = json_schema(self.kind)
        node = _resolved(schema, schema)
        for part in place:
            node = _resolved(_below(node, part), schema)
        return node


def _below(node: Mapping[str, Any], part: str | int) -> Any:
    """The schema of an item or a key of what `node` describes."""
    if isinstance(part, int):
        ahead = node.get("prefixItems", ())
        return ahead[part] if part < len(ahead) else node.get("items")
    for pattern, found in node.get("patternProperties", {}).items():
        if re.match(pattern, part):
            return found
    return node.get("properties", {}).get(part, node.get("additionalProperties"))


def _resolved(node: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without references, and without the null that may stand in its place."""
    while isinstance(node, dict) and ("$ref" in node or "anyOf" in node):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            node = next(x for x in node["anyOf"] if x.get("type") != "null")
    return node if isinstance(node, dict) else {}


def _allowed(node: Mapping[str, Any], section: str) -> str:
    """What the schema allows, in words."""
    if "enum" in node or "const" in node:
        return ", ".join(map(str, node.get("enum", [node.get("const")])))
    kind = str(node.get("type", ""))
    words = {**_KINDS, "object": section}.get(kind, "what this version writes")
    if node.get("format") == "path":
        words = "a file name"
    if (limit := node.get("maxLength")) is not None:
        words += f" of at most {limit} characters"
    if "prefixItems" in node:
        words += f" of {len(node['prefixItems'])} values"
    return ", ".join(x for x in (words, _range(node)) if x)


_KINDS = {
    "integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false",
    "array": "a list", "null": "nothing",
}  # fmt: skip


def _range(node: Mapping[str, Any]) -> str:
    low, above, high = (node.get(k) for k in ("minimum", "exclusiveMinimum", "maximum"))
    if "minItems" in node and "prefixItems" not in node:
        low, high = node["minItems"], node.get("maxItems")
    if above is not None:
        return f"more than {_number(above)}" + ("" if high is None else f" and at most {_number(high)}")
    if low is not None:
        return f"{_number(low)} or more" if high is None else f"{_number(low)} to {_number(high)}"
    return "" if high is None else f"at most {_number(high)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:g}"


def _word(part: str | int) -> str:
    """A key as a message shows it."""
    return str(part) if isinstance(part, int) or re.fullmatch(r"[\w-]{1,60}", part) else shown(part)
