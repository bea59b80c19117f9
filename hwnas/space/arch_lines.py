"""Lines of architectures: {"arch": {"ks": …, "e": …, "d": …, "r": …}, "space": "mbv3", "classes": 3, …}, or bare ones.

What hwnas writes names the space and the number of classes beside the architecture, which alone is no network yet, and
the signature of a space that is not built in. Lines of older versions, and bare ones, do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hwnas.space import Architecture, SearchSpace, get_space
from hwnas.space.arch import resolution_of
from hwnas.space.registry import BUILT_IN, SpaceSource, is_built_in
from profilers.errors import BadInput
from profilers.files import parse_json

T = TypeVar("T", str, int)
FORM = '{"arch": {"ks": …, "e": …, "d": …, "r": …}, "space": …, "classes": …}'


def stated(arch: Architecture, space: SearchSpace) -> dict[str, Any]:
    """The fields that make an architecture a network, for a line or a document."""
    own = {} if is_built_in(space) else {"signature": space.signature}
    return {"arch": arch.to_json(), "space": space.name, **own, "classes": space.classes}


@dataclass(frozen=True)
class Line:
    """One architecture, unchecked; `space`, `classes` and `signature` are None where nothing is said of them."""

    where: str
    arch: Any
    space: str | None = None
    classes: int | None = None
    signature: str | None = None

    def of(self, space: SearchSpace) -> Architecture:
        """The architecture; BadInput, naming the line, if it is not of `space`."""
        if self.space not in (None, space.name):
            raise BadInput(f"{self.where}: a network of space {self.space}", space.name)
        if self.space and not (space.has_signature(self.signature) if self.signature else _is_meant(space)):
            got = f"{self.where}: a network of another space {self.space} ({self.signature or 'the built-in one'})"
            raise BadInput(got, f"{space.name} ({space.signature})", "the space that it is of, by its FILE.toml")
        try:
            return space.parse(self.arch)
        except BadInput as error:
            raise BadInput(f"{self.where}: {error.got}", error.allowed, error.remedy) from error

    @property
    def pixels(self) -> int | None:
        """Its resolution, as far as it can be told."""
        r = resolution_of(self.arch) if isinstance(self.arch, Mapping) else None
        return r if isinstance(r, int) and not isinstance(r, bool) else None


def _is_meant(space: SearchSpace) -> bool:
    """Whether the name alone can mean `space`: what is built in is written without its signature."""
    return space.name not in BUILT_IN or is_built_in(space)


def parse_lines(text: str, path: Path) -> list[Line]:
    """The lines of a text, or the one object that it is; BadInput names the line that is none, or an empty file."""
    if (whole := _one_object(text)) is not None:
        return [line_of(whole, str(path))]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f"{path}, line {number}"
            found.append(line_of(parse_json(line, where), where))
    if not found:
        raise BadInput(f"{path} holds no architecture", f"one {FORM} a line")
    return found


def space_of_lines(
    lines: Sequence[Line],
    path: Path,
    *,
    space: SpaceSource | None = None,
    sizes: Sequence[int] | None = None,
    classes: int | None = None,
    expected: SearchSpace | None = None,
    any_size: bool = False,
) -> SearchSpace:
    """The space of all lines: what the command line says, then what they say, then `expected`.

    Args:
        lines: of `path`.
        path: for the message.
        space: of --space: a name, FILE.toml, python:module:NAME or a space.
        sizes: of --resolutions; by default those that occur, where lines say which space they are of.
        classes: of --classes.
        expected: the space to be assumed, that of a table for instance; lines must not name another one.
        any_size: whether bare lines, too, may have any resolution of the space.

    Raises:
        BadInput: lines that contradict each other or what is given; no space is named anywhere.
    """
    given = None if space is None else get_space(space)
    named = _agreed([x.space for x in lines], path, "space", "--space", given.name if given else None)
    wide = _agreed([x.classes for x in lines], path, "classes", "--classes", classes)
    if expected is not None:
        if named not in (None, expected.name):
            raise BadInput(f"{path}: networks of space {named}", f"{expected.name}, which is asked for here")
        return expected if wide is None else expected.with_classes(wide)
    if named is None:
        raise BadInput(f"{path} holds architectures, but of which space", "--space NAME", "--space mbv3")
    if sizes is None and (any_size or any(x.space for x in lines)):
        sizes = sorted({x.pixels for x in lines if x.pixels is not None}) or None
    return get_space(given or _built_in(named, path), sizes, wide)


def _built_in(name: str, path: Path) -> SearchSpace:
    """The space that lines name: only a user's own word (--space) makes hwnas open a file or a module."""
    if name not in BUILT_IN:
        got = f"{path} holds networks of space {name!r}, which is not built in"
        raise BadInput(got, ", ".join(BUILT_IN), f"--space {name}, --space FILE.toml or --space python:module:NAME")
    return BUILT_IN[name]


def _agreed(found: Sequence[T | None], path: Path, what: str, option: str, given: T | None) -> T | None:
    """The one value, from the lines or the option; BadInput where there are two."""
    values = list(dict.fromkeys(x for x in found if x is not None))
    if len(values) > 1:
        got = f"{path} holds networks of {what} {' and '.join(map(str, sorted(values)))}"
        raise BadInput(got, "one for all networks of a file", f"a file for each {what}" if what == "space" else "")
    if given is not None and values and values[0] != given:
        raise BadInput(f"{option} {given} for {path}", f"{what} {values[0]}, as its lines say", f"without {option}")
    return values[0] if values else given


def _one_object(text: str) -> Any:
    """A file's whole JSON object, if it stands on several lines; else None."""
    if len(text.strip().splitlines()) < 2:
        return None
    try:
        value = parse_json(text, "")
    except BadInput:
        return None
    return value if isinstance(value, dict) else None


def line_of(value: Any, where: str) -> Line:
    """A JSON value as a line; `where` it stands."""
    if not isinstance(value, dict) or "arch" not in value:
        return Line(where, value)
    space, classes, signature = value.get("space"), value.get("classes"), value.get("signature")
    if not isinstance(space, str | None):
        raise BadInput(f"{where}: space is {space!r}", "the name of a space")
    if not isinstance(signature, str | None):
        raise BadInput(f"{where}: signature is {signature!r}", "twelve hexadecimal digits")
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int)):
        raise BadInput(f"{where}: classes is {classes!r}", "a number of classes")
    return Line(where, value["arch"], space, classes, signature)
