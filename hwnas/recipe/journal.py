"""`recipe.json` in the out folder: of each stage the settings and the products that its own were made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from profilers.errors import FileProblem
from profilers.files import read_json, write_json
from profilers.validation import Style, validate

FILE, VERSION = "recipe.json", 1


@dataclass(frozen=True)
class Entry:
    """A stage that was begun."""

    settings: dict[str, Any]
    """What it depended on."""
    sources: dict[str, str]
    """Digests of the products that it read, by stage."""
    seconds: float = 0.0
    """That it has taken so far."""
    finished: bool = False
    """Whether it came to its end."""
    result: str = ""
    """What came of it, for people."""


@dataclass(frozen=True)
class _File:
    version: int
    stages: dict[str, Entry] = field(default_factory=dict)


class Journal:
    """Entries by stage; written whole after every change. A file that cannot be read is an error, not nothing."""

    def __init__(self, out: Path) -> None:
        self.path = out / FILE
        self.entries: dict[str, Entry] = {}
        if self.path.is_file():
            remedy = f"remove {self.path}; what is there is then put aside and made anew"
            self.entries = validate(_File, read_json(self.path), str(self.path), Style(remedy=remedy)).stages

    def keep(self, name: str, entry: Entry) -> Entry:
        """Note a stage; FileProblem where the folder cannot be written."""
        self.entries[name] = entry
        stages = {key: asdict(value) for key, value in self.entries.items()}
        write_json(self.path, {"version": VERSION, "stages": stages})
        return entry

    def seconds(self, name: str) -> float | None:
        """What a finished stage took."""
        entry = self.entries.get(name)
        return entry.seconds if entry and entry.finished else None


def changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Keys, with dots, whose values differ."""
    for key in dict.fromkeys([*before, *now]):
        a, b, name = before.get(key), now.get(key), f"{prefix}{key}"
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            yield from changes(a, b, f"{name}.")
        elif a != b:
            yield name


def writable(out: Path) -> None:
    """FileProblem where nothing can be written into the folder, or where it would be made."""
    import os

    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise FileProblem(f"cannot write into {place}", remedy="out = another folder, in the recipe")
