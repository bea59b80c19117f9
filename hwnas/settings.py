"""Configurations: TOML files and `--set a.b=c` into frozen dataclasses, strictly, with errors that name the key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from hwnas.space import parse_resolutions
from profilers.constraints import AlsoText
from profilers.errors import BadInput
from profilers.files import read_text
from profilers.refusals import Refusals

T = TypeVar("T")
Resolutions = Annotated[tuple[int, ...], AlsoText(parse_resolutions, "192:256:4")]
"""Pixels: a list, or FIRST:LAST:STEP."""


def read_toml(
    path: Path,
    overrides: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
    loads: Callable[[str], dict[str, Any]] = tomllib.loads,
) -> dict[str, Any]:
    """The tables of a TOML file with `a.b=c` overrides applied; `defaults` stand for top-level keys that it lacks.

    `loads` reads the text; ValueError where it is not TOML.

    Raises:
        FileProblem: the file cannot be read. BadInput: it is not TOML, or an override does not fit.
    """
    text = read_text(path)
    try:
        data = {**(defaults or {}), **loads(text)}
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}") from error
    for item in overrides:
        override(data, item)
    return data


def override(data: dict[str, Any], item: str) -> None:
    """Apply `a.b=c` or `a.0.b=c` (an item of a list); c is TOML, or a plain text."""
    name, found, text = item.partition("=")
    if not found or not name.strip():
        raise BadInput(f"--set {item}", "--set key=value, as in --set search.iterations=10")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    *path, last = name.strip().split(".")
    place: Any = data
    for part in path:
        place = place.setdefault(part, {}) if isinstance(place, dict) else _item(place, part, item)
    if not isinstance(place, dict):
        raise BadInput(f"--set {item}", f"a key; {'.'.join(path)} is not a section")
    place[last] = value


def _item(place: Any, part: str, item: str) -> Any:
    if not isinstance(place, list):
        raise BadInput(f"--set {item}", f"a key; {part} is looked up in a value")
    if not part.isdecimal() or int(part) >= len(place):
        raise BadInput(f"--set {item}", f"0 to {len(place) - 1} instead of {part}")
    return place[int(part)]


def build(cls: type[T], data: Any, where: str) -> T:
    """A dataclass from what `read_toml` gave, nested ones too.

    Raises:
        BadInput: an unknown, missing or mistyped key, or a value that is not allowed; `where` names the source.
    """
    from profilers.validation import Style, validate

    return validate(cls, data, where, Style(section="a section"))


def draft(cls: type[T], data: Any, where: str, found: Refusals, refused: Collection[str] = ()) -> T:
    """`build`, for checks that go on: what does not fit goes to `found`, and raises `Lacking` where it is read.

    `refused` are keys of which it has been said already that they do not fit.
    """
    from profilers import validation

    made: T = validation.draft(cls, data, where, found, validation.Style(section="a section"), refused)
    return made
