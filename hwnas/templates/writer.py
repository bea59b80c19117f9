"""A settings class as a TOML file with comments, which reads back to the same settings.

A line that begins with "# " is for people; one that begins with "#" and no space is a key at its default, or an example
of a key that has none: without that "#" it is in force.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas.templates.examples import UNWRITTEN, example
from profilers.fault_lines import resolved, words
from profilers.validation import json_schema

WIDTH = 110
Node = Mapping[str, Any]
Place = tuple[str, ...]


def commented_toml(kind: type, values: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Every key of a settings class, with comments.

    Args:
        kind: a frozen dataclass that `profilers.validation.validate` reads.
        values: what is set, as its TOML file would give it; everything else stands there commented out.
        notes: more comments (of several lines, too) by dotted key, as in {"recipe.batch": "2,000 images: small"}.

    Returns:
        A text of which `hwnas.settings.build` makes the same settings as of `values`.

    >>> from hwnas.search.problem import Scalarise
    >>> print(commented_toml(Scalarise, {"objective": "params", "target": 4e6}))
    # One objective of two: top1 * (cost / target) ** exponent, maximised (paper, section 5.2; MnasNet).
    <BLANKLINE>
    # The cost.
    objective = "params"
    <BLANKLINE>
    # What it should be, in its unit. (a number, more than 0)
    target = 4000000.0
    <BLANKLINE>
    # How much a cost above the target counts. (a number)
    #exponent = -0.07
    <BLANKLINE>
    """
    writer = _Writer(json_schema(kind), dict(notes or {}))
    lines = [*_comment(opening(writer.schema)), *writer.keys((), writer.schema, values)]
    return "\n".join(lines).strip("\n") + "\n"


@dataclass(frozen=True)
class _Writer:
    """Lines of one class; `schema` is its JSON Schema."""

    schema: Node
    notes: Mapping[str, str]

    def keys(self, place: Place, node: Node, given: Mapping[str, Any] | None, *, brief: bool = False) -> Iterator[str]:
        """The keys of a section: plain ones first, as TOML wants it. `given` is None where all are commented out."""
        named = [(name, item, resolved(item, self.schema)) for name, item in node["properties"].items()]
        if unknown := set(given or ()) - set(node["properties"]):
            raise KeyError(f"{_dotted(place)}: no key {sorted(unknown)[0]}")
        for name, item, found in named:
            if not is_section(found, self.schema):
                yield from self._key((*place, name), item, found, node, given, brief=brief)
        for name, item, found in named:
            if is_section(found, self.schema) and not brief:
                yield from self._section((*place, name), item, found, given)

    def _key(
        self, place: Place, item: Node, found: Node, section: Node, given: Mapping[str, Any] | None, *, brief: bool
    ) -> Iterator[str]:
        name, values = place[-1], given or {}
        if not brief:
            yield from ("", *self._about(place, item, found))
        if values.get(name) is not None:
            yield f"{_key(name)} = {plain(values[name])}"
        elif not brief:
            default = item.get("default")
            value = example(place, found) if default in (None, []) else default
            needed = name in section.get("required", ()) and given is not None
            yield f"{'' if needed else '#'}{_key(name)} = {plain(value)}"

    def _section(self, place: Place, item: Node, found: Node, given: Mapping[str, Any] | None) -> Iterator[str]:
        own = None if given is None else given.get(place[-1])
        yield ""
        yield from self._about(place, item, {})
        if place[-1] in UNWRITTEN and own is None:
            return
        if found["type"] == "array":
            yield from self._list(place, item, resolved(found["items"], self.schema), own)
        elif "properties" in found:
            alone = own is None and given is not None and "default" in item and item["default"] is None
            yield from self._one(place, found, None if own is None and (given is None or alone) else own or {})
        else:
            yield from self._free(place, found, own)

    def _one(self, place: Place, found: Node, given: Mapping[str, Any] | None) -> Iterator[str]:
        """A section of known keys."""
        yield f"{'#' if given is None else ''}[{_dotted(place)}]"
        yield from self.keys(place, found, given)

    def _list(self, place: Place, item: Node, found: Node, given: Any) -> Iterator[str]:
        """A list of sections; what its keys mean is said at the first."""
        shown = given if given is not None else item.get("default") or [{}]
        commented = given is None
        for number, values in enumerate(shown):
            yield from ([""] if number else [])
            yield f"{'#' if commented else ''}[[{_dotted(place)}]]"
            lines = self.keys(place, found, values, brief=number > 0)
            yield from map(_commented_out, lines) if commented else lines

    def _free(self, place: Place, found: Node, given: Any) -> Iterator[str]:
        """A section whose keys are the user's; an example where there are none."""
        values, mark = (given, "") if given else (example(place, found), "#")
        below = resolved(item_schema(found), self.schema)
        if "properties" in below:
            for name, section in values.items():
                lines = self._one((*place, name), below, section)
                yield from map(_commented_out, lines) if mark else lines
            return
        yield f"{mark}[{_dotted(place)}]"
        yield from (f"{mark}{_key(name)} = {plain(value)}" for name, value in values.items())

    def _about(self, place: Place, item: Node, found: Node) -> Iterator[str]:
        """What a key means and may be, and the note on it."""
        may_be = allowed(item, found)
        yield from _comment(f"{item.get('description', '')}{f' ({may_be})' if may_be else ''}")
        for line in self.notes.get(".".join(place), "").splitlines():
            yield from _comment(line)


def is_section(node: Node, schema: Node) -> bool:
    """Whether it is written as sections: keys of their own, or a list of them."""
    return node.get("type") == "object" or "properties" in resolved(node.get("items"), schema)


def item_schema(node: Node) -> Any:
    """Of the values in a section whose keys are the user's."""
    return next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))


def opening(schema: Node) -> str:
    """The first lines of a class's docstring, without the sections that are for Python."""
    return " ".join(re.split(r"\n\s*(?:Args|Raises|Example)s?:", schema.get("description", ""))[0].split())


def allowed(item: Node, node: Node) -> str:
    """In words; nothing of a text that may be anything."""
    if not node or (node.get("type") == "string" and "enum" not in node):
        return ""
    texts = [example for choice in item.get("anyOf", ()) for example in choice.get("examples", ())]
    return " or ".join([words(node, "a section"), *(f"a text such as {text}" for text in texts)])


def _comment(text: str) -> list[str]:
    indent = len(text) - len(text.lstrip())
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# " + " " * indent, drop_whitespace=True,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _commented_out(line: str) -> str:
    return f"#{line}" if line and not line.startswith("#") else line


def _dotted(place: Place) -> str:
    return ".".join(map(_key, place))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else plain(name)


def plain(value: Any) -> str:
    """A value on one line of TOML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {plain(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(plain, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else _text(str(value) if isinstance(value, Path) else value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
