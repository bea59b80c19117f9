"""Configurations: TOML files and `--set a.b=c` into frozen dataclasses, strictly, with errors that name the key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from profilers.errors import BadInput
from profilers.files import read_text

T = TypeVar("T")


def read_toml(path: Path, overrides: Sequence[str] = (), defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The tables of a TOML file with `a.b=c` overrides applied; `defaults` stand for top-level keys that it lacks.

    Raises:
        FileProblem: the file cannot be read. BadInput: it is not TOML, or an override does not fit.
    """
    text = read_text(path)
    try:
        data = {**(defaults or {}), **tomllib.loads(text)}
    except (tomllib.TOMLDecodeError, RecursionError) as error:
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
    except tomllib.TOMLDecodeError:
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
    """A dataclass from a mapping whose keys are its fields and whose values have their types, nested ones too.

    Raises:
        BadInput: an unknown, missing or mistyped key; `where` names the source.
    """
    if not isinstance(data, Mapping):
        raise BadInput(f"{where} is {data!r}", "a section")
    hints, known = get_type_hints(cls), fields(cls)  # type: ignore[arg-type]
    names = [f.name for f in known]
    for name in data:
        if name not in names:
            near = nearest(name, names)
            raise BadInput(f"{where}: unknown key {name!r}", near or ", ".join(names), near)
    required = [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in required if name not in data]:
        raise BadInput(f"{where} lacks {', '.join(missing)}", f"{missing[0]} = …")
    return cls(**{name: _value(value, hints[name], f"{where}: {name}") for name, value in data.items()})


def _value(value: Any, hint: Any, where: str) -> Any:
    """`value` as what the annotation says; BadInput otherwise."""
    kind = next((h for h in get_args(hint) if h is not type(None)), hint) if type(None) in get_args(hint) else hint
    if is_dataclass(kind):
        return build(kind, value, where)  # type: ignore[arg-type]
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_value(x, get_args(kind)[0], f"{where}.{i}") for i, x in enumerate(value))
    if get_origin(kind) is dict and isinstance(value, Mapping):
        return {str(k): _value(x, get_args(kind)[1], f"{where}.{k}") for k, x in value.items()}
    if kind is Any or (kind in (int, str, bool) and type(value) is kind):
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise BadInput(f"{where} = {value!r}", _KIND_NAMES.get(get_origin(kind) or kind, "a section"))


_KIND_NAMES: dict[Any, str] = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false", Path: "a file name",
    tuple: "a list", dict: "a section",
}  # fmt: skip


def nearest(value: str, allowed: Sequence[str]) -> str:
    """The allowed name that `value` looks like, or ""."""
    return next(iter(get_close_matches(value, allowed, 1, 0.5)), "")


def check_range(config: Any, least: Mapping[str, float], most: Mapping[str, float] | None = None) -> None:
    """BadInput if a numeric field of a dataclass is out of its range; NaN always is."""
    for name, low in least.items():
        value, high = getattr(config, name), (most or {}).get(name, float("inf"))
        if not low <= value <= high:
            raise BadInput(f"{name} = {value}", f"{low:g} or more" if high == float("inf") else f"{low:g} to {high:g}")


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """BadInput if `value` is not one of `allowed`."""
    if value not in allowed:
        raise BadInput(f"{name} = {value!r}", ", ".join(allowed))
