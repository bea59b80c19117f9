"""What a configuration says otherwise than the one that a run was searched with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import lut
from hwnas.search.config import Config
from hwnas.search.own_objectives import ObjectiveSettings, same_source
from hwnas.search.places import same_accuracy, same_options
from lut import LatencyTable

_FREE = ("iterations", "executor", "stop")  # what may differ where a run is continued


def _table(path: Path) -> LatencyTable:
    """A table without the figures of its last verification, which change no prediction."""
    return replace(lut.load(path), verify=None)


def differences(old: Config, new: Config) -> list[str]:
    """A line for each key that says something else; where files lie does not count."""
    return [line for name, a, b in _flat(old, new) if (line := _difference(old, new, name, a, b))]


def _difference(old: Config, new: Config, name: str, a: Any, b: Any) -> str:
    """What of a key is another than it was, or ""; places of files do not count, but what they hold does."""
    if name == "tables":
        a, b = old.all_tables, new.all_tables
        same = [*a] == [*b] and all(_table(a[k]) == _table(b[k]) for k in a)
        return "" if same else f"{name} differ"
    if name == "definition":
        return "" if old.make_space() == new.make_space() else f"the space was {_identity(old)}, is {_identity(new)}"
    if name == "init_from" and a and b:
        a, b = a.name, b.name  # the front itself is kept in the run
    return "" if name in _FREE or _alike(name, a, b) else f"{name} was {a}, is {b}"


def _same_sections(old: Mapping[str, ObjectiveSettings], new: Mapping[str, ObjectiveSettings]) -> bool:
    return old.keys() == new.keys() and all(same_source(old[name], new[name]) for name in old)


def _alike(name: str, a: Any, b: Any) -> bool:
    match name:
        case "accuracy":
            return same_accuracy(a, b)
        case "evaluate":
            return same_options(a, b)
        case "objective":
            return _same_sections(a, b)
        case "surrogate":
            return Path(a).name == Path(b).name
    return bool(a == b)


def _identity(config: Config) -> str:
    space = config.make_space()
    return f"{space.name} ({space.signature})"


def _flat(old: Config, new: Config) -> Iterator[tuple[str, Any, Any]]:
    yield from ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in fields(old) if f.name != "search")
    yield from ((f.name, getattr(old.search, f.name), getattr(new.search, f.name)) for f in fields(old.search))
