"""What a table of the report is made of; every number carries how it was obtained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwnas.report.formatting import origin


@dataclass(frozen=True)
class Origin:
    """How a number was obtained, and the first word of that."""

    how: str

    @property
    def kind(self) -> str:
        """measured, predicted, …, or unknown."""
        return origin(self.how)


@dataclass(frozen=True)
class Cell:
    """A text with whatever of this goes with it.

    `kept` is whether a measurement is as predicted; `remarks` are said below it, those of `warnings` as such.
    """

    text: str
    range: str = ""
    origin: Origin | None = None
    kept: bool | None = None
    letter: str = ""
    link: str = ""
    code: bool = False
    remarks: Sequence[str] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; one of numbers does not break their lines.

    `networks` are the rows' indices among the evaluated networks, where they have any; `csv` has the full digits.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str
    numbers: bool = False
    networks: Sequence[int | None] = ()
    csv: str = ""
