"""What a person reads of values that do not fit: a line for each fault, with its place, and what its schema allows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from profilers.errors import LARGEST, SHOWN_LIST, BadInput, HwnasError, listed, nearest, shown

Place = tuple[str | int, ...]
Fault = Mapping[str, Any]  # of pydantic
DEEPEST = 60
ALIKE = 0.7  # a key less alike than that is another thing, not a misspelt one
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


@dataclass(frozen=True)
class Lines:
    """Turns faults into lines: unknown keys first, then missing ones, then values.

    Args:
        schema: the JSON Schema of the whole.
        where: the source, which each line names.
        style: of the lines.
    """

    schema: Mapping[str, Any]
    where: str
    style: Style

    def of(self, faults: Sequence[Fault], value: Any, inside: Place = ()) -> list[BadInput]:
        """The lines of pydantic's faults in `value`, which stands at the place `inside`."""
        if any(fault["type"] == "json_invalid" for fault in faults):
            return self.odd(value, inside)
        faults = _deepest(faults)
        of_keys = [line for place, names in _by_section(faults, inside).items() for line in self.keys(place, *names)]
        return of_keys + [self._of_value(fault, inside) for fault in faults if not _of_key(fault)]

    def keys(self, section: Place, unknown: Iterable[str], missing: Iterable[str]) -> list[BadInput]:
        """The lines of a section's unknown and missing keys; a missing one that is misspelt is the unknown one."""
        names = list(self._node(section).get("properties", ()))
        near = {name: nearest(name, names, ALIKE) for name in unknown}
        lines = [self._unknown(section, name, near[name], names) for name in near]
        lacking = [name for name in missing if name not in near.values()]
        return lines + ([self._missing(section, lacking)] if lacking else [])

    def odd(self, value: Any, inside: Place = ()) -> list[BadInput]:
        """The lines of what no file of ours can hold, whatever its type."""
        return [self._value(place, what, allowed) for place, what, allowed in _odd(value, inside)]

    def refused(self, error: HwnasError) -> BadInput:
        """The line of a rule's refusal, which does not know its source."""
        got = f"{self.where}: {error.got}" if self.where else error.got
        return self.style.error(got, error.allowed, error.remedy)

    def _of_value(self, fault: Fault, inside: Place) -> BadInput:
        place: Place = (*inside, *fault["loc"])
        if place and place[-1] == "[key]":
            return self._name(place, fault)
        if fault["type"] in ("missing", "unexpected_positional_argument"):  # a list that is too short, or too long
            return self._value(place[:-1], fault["input"])
        return self._value(place, fault["input"], fault["msg"] if fault["type"] == "pattern" else "")

    def _value(self, place: Place, value: Any, allowed: str = "") -> BadInput:
        """The line of a value that does not fit; `allowed` is by default what the schema says."""
        node = self._node(place)
        near = nearest(value, list(map(str, node.get("enum", ())))) if isinstance(value, str) else ""
        got = f"{self._at(place)} {'=' if place else 'is'} {shown(value)}"
        return self._error(got, allowed or words(node, self.style.section), near)

    def _name(self, place: Place, fault: Fault) -> BadInput:
        """The line of a key that may not be called so."""
        allowed = words(self._node(place[:-2]).get("propertyNames", {}), self.style.section)
        got = f"{self._at(place[:-2])}: the name {shown(fault['input'])}"
        return self._error(got, fault["msg"] if fault["type"] == "pattern" else allowed)

    def _unknown(self, section: Place, name: str, near: str, names: Sequence[str]) -> BadInput:
        return self._error(f"{self._at(section)}: unknown key {shown(name)}", near or listed(names, SHOWN_LIST), near)

    def _missing(self, section: Place, names: list[str]) -> BadInput:
        what = words(self._node((*section, names[0])), self.style.section)
        return self._error(f"{self._at(section)} lacks {listed(names)}", f"{names[0]} = {what}")

    def _error(self, got: str, allowed: str, remedy: str = "") -> BadInput:
        return self.style.error(got, allowed, remedy or self.style.remedy)

    def _at(self, place: Place) -> str:
        return ": ".join(x for x in (self.where, ".".join(map(_word, place))) if x)

    def _node(self, place: Place) -> dict[str, Any]:
        """What the JSON Schema says of a place; nothing where it says nothing."""
        node = resolved(self.schema, self.schema)
        for part in place:
            node = resolved(_below(node, part), self.schema)
        return node


def _deepest(faults: Sequence[Fault]) -> list[Fault]:
    """Without those of a place in which something does not fit: a list is too short where its items are left out."""
    above = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    return [fault for fault in faults if fault["loc"] not in above]


def _by_section(faults: Iterable[Fault], inside: Place) -> dict[Place, tuple[list[str], list[str]]]:
    """(unknown, missing) keys by the section that they are of."""
    found: dict[Place, tuple[list[str], list[str]]] = {}
    for fault in filter(_of_key, faults):
        *above, name = fault["loc"]
        found.setdefault((*inside, *above), ([], []))[fault["type"] == "missing"].append(str(name))
    return found


def _of_key(fault: Fault) -> bool:
    """Whether a key is unknown or missing."""
    return fault["type"] in _UNKNOWN or (fault["type"] == "missing" and isinstance(fault["loc"][-1], str))


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


def _below(node: Mapping[str, Any], part: str | int) -> Any:
    """The schema of an item or a key of what `node` describes."""
    if isinstance(part, int):
        ahead = node.get("prefixItems", ())
        return ahead[part] if part < len(ahead) else node.get("items")
    for pattern, found in node.get("patternProperties", {}).items():
        if re.match(pattern, part):
            return found
    return node.get("properties", {}).get(part, node.get("additionalProperties"))


def resolved(node: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without references, and without the null that may stand in its place."""
    while isinstance(node, dict) and ("$ref" in node or "anyOf" in node):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            node = next(x for x in node["anyOf"] if x.get("type") != "null")
    return node if isinstance(node, dict) else {}


def words(node: Mapping[str, Any], section: str) -> str:
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
    if high is not None and high >= LARGEST - 1:
        high = None
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
