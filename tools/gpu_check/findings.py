"""What a part has found: figures, tables and notes, written to a file as they come.

A part that is stopped leaves what it had found by then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Value = str | int | float | bool | None


class LeftOut(Exception):
    """A part that cannot be done here, with the reason."""


@dataclass(frozen=True)
class Figure:
    """One value with its unit, "" for a text or a number without one."""

    name: str
    value: Value
    unit: str = ""


@dataclass(frozen=True)
class Grid:
    """A table; a cell is a text, a number, or None for what is not known."""

    title: str
    columns: list[str]
    rows: list[list[Value]]


@dataclass
class Findings:
    """Of one part; `path` is where they are kept."""

    path: Path
    figures: list[Figure] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def figure(self, name: str, value: Any, unit: str = "") -> None:
        """Add one."""
        self.figures.append(Figure(name, plain(value), unit))
        self.save()

    def grid(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add a table, or put it in the place of the one with that title."""
        made = Grid(title, list(columns), [[plain(cell) for cell in row] for row in rows])
        self.grids = [grid for grid in self.grids if grid.title != title] + [made]
        self.save()

    def note(self, text: str) -> None:
        """Add a sentence."""
        self.notes.append(text)
        self.save()

    def save(self) -> None:
        """Write all of it, in one step."""
        write(self.path, json.dumps({name: value for name, value in asdict(self).items() if name != "path"}))


def plain(value: Any) -> Value:
    """As JSON holds it: NumPy's numbers as Python's, four digits of a float, None for one that is not finite."""
    if isinstance(value, str | bool | int) or value is None:
        return value
    number = float(value)
    return float(f"{number:.4g}") if math.isfinite(number) else None


def read(path: Path) -> dict[str, Any]:
    """What a part has left, nothing of one that has found nothing."""
    return json.loads(path.read_text()) if path.exists() else {"figures": [], "grids": [], "notes": []}


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
