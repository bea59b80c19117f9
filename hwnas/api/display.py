"""How the objects of this room show themselves: one table, as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from rich import box
from rich.table import Table

from profilers.printable import printable
from profilers.terminal import Terminal

WIDTH = 110  # characters of a line of text
LONGEST = 600  # of a remark, which may hold a command to copy
_TITLE = 78  # of a title that is not broken


def table(title: str, columns: Iterable[str], caption: str = "", rows: Iterable[Sequence[str]] = ()) -> Table:
    """A table that fits 80 columns where its cells do: no frame, numbers to the right."""
    made = Table(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify="left",
        caption_justify="left",
        collapse_padding=True,
        min_width=min(len(title), _TITLE),
    )
    for column in columns:
        made.add_column(column, justify="right")
    for row in rows:
        made.add_row(*row)
    return made


def facts(title: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values, a line each."""
    made = table(title, ("", ""), rows=rows)
    made.show_header = False
    for column in made.columns:
        column.justify = "left"
    return made


class Printable:
    """Something that is shown as a table with remarks below it; a subclass makes the table."""

    def table(self) -> Table:
        """What it shows."""
        raise NotImplementedError

    @property
    def remarks(self) -> Sequence[str]:
        """What a user should know of it, a line each."""
        return ()

    def __str__(self) -> str:
        text = io.StringIO()
        Terminal(text, width=WIDTH).print(self.table())
        lines = [line.rstrip() for line in text.getvalue().strip("\n").splitlines()]
        return "\n".join([*lines, *(printable(line, LONGEST) for line in self.remarks)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        made = self.table()
        cells = [[str(cell) for cell in column.cells] for column in made.columns]
        return str(
            _templates()
            .get_template("object.html")
            .render(
                title=str(made.title or ""),
                caption=str(made.caption or ""),
                header=[str(column.header) for column in made.columns] if made.show_header else [],
                rows=list(zip(*cells, strict=True)),
                remarks=list(self.remarks),
            )
        )


class Facts(Printable, Mapping[str, Any]):
    """Named values, as a command prints them in JSON; shown as two columns.

    Example:
        >>> from hwnas.api.display import Facts
        >>> found = Facts("A check", {"mape": 0.0123, "networks": 100})
        >>> found["networks"], found.to_json()
        (100, {'mape': 0.0123, 'networks': 100})
    """

    def __init__(self, title: str, values: Mapping[str, Any], remarks: Sequence[str] = ()) -> None:
        self._title, self._values, self._remarks = title, dict(values), tuple(remarks)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        return self._remarks

    def table(self) -> Table:
        """See `Printable`; what is nested is left to `to_json`."""
        plain = [(k, v) for k, v in self._values.items() if not isinstance(v, Mapping | list | tuple)]
        return facts(self._title, [(name, shown(value)) for name, value in plain])

    def to_json(self) -> dict[str, Any]:
        """All values, nested ones too, in JSON's types."""
        return dict(self._values)


def shown(value: Any) -> str:
    """A value for people: four digits of a number, "-" for none."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@cache
def _templates() -> Any:
    from profilers.markup import templates

    return templates("hwnas.api")
