"""What commands print: JSON on stdout for programs, a table for people at a terminal, remarks on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Annotated, Any

import typer
from rich.table import Table

from hwnas.api.display import Printable, facts, shown
from hwnas.api.display import table as people_table
from profilers.printable import printable, printable_lines
from profilers.terminal import Terminal

LISTED = 4  # values of a list that a cell shows
_forced: ContextVar[bool] = ContextVar("_forced", default=False)  # --json was given
_kept: list[Mapping[str, Any]] = []  # objects of this command that are not yet shown


def force(given: bool) -> bool:
    """What `--json` does, and its absence."""
    _forced.set(given)
    return given


AsJson = Annotated[
    bool,
    typer.Option("--json", callback=force, help="Print JSON on a terminal, too; a pipe or file gets it anyway."),
]
AsLines = Annotated[bool, typer.Option("--json", callback=force, help="One JSON object a line.")]


def at_terminal() -> bool:
    """Whether people look at stdout, and did not ask for JSON."""
    return sys.stdout.isatty() and not _forced.get()


def emit(value: Any) -> None:
    """One JSON value on one line of stdout; at a terminal the objects of a command become one table."""
    if at_terminal():
        _kept.append(value)
    else:
        sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def emit_all(values: Iterable[Any]) -> None:
    """`emit` of each, quickly where there are very many."""
    if at_terminal():
        for value in values:
            emit(value)
    else:
        sys.stdout.writelines(json.dumps(value, allow_nan=False) + "\n" for value in values)


def emit_for_programs(value: Any) -> None:
    """The same of a command that has lines or a table of its own for people: nothing at a terminal."""
    if not at_terminal():
        emit(value)


def finish() -> None:
    """Show the objects that are kept, at the end of a command or before its next line."""
    rows, _kept[:] = list(_kept), []
    if rows:
        _stdout().print(object_table(rows))


def object_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Objects as a table with rounded numbers, a line each; of a single one a line for each value."""
    flat = [_flat(row) for row in rows]
    if len(flat) == 1:
        return facts("", flat[0].items())
    columns = list(dict.fromkeys(name for row in flat for name in row))
    table = people_table("", columns, rows=[[row.get(name, "-") for name in columns] for row in flat])
    table.title = None  # not even an empty line
    return table


def _flat(row: Mapping[str, Any]) -> dict[str, str]:
    """Its values as people read them; of what is nested, named `outer.inner`, one level."""
    found: dict[str, str] = {}
    for name, value in row.items():
        inner = value if isinstance(value, Mapping) else {}
        if inner and not any(isinstance(item, Mapping) for item in inner.values()):
            found |= {f"{name}.{key}": _cell(item) for key, item in inner.items()}
        else:
            found[name] = _cell(value)
    return found


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} of them (--json)" if value else "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, list | tuple):
        whole = isinstance(value, float) and value.is_integer()  # counts of JSON
        return shown(int(value) if whole else value)
    if any(isinstance(item, Mapping | list | tuple) for item in value):
        return f"{len(value)} of them (--json)"
    more = f", … ({len(value)})" if len(value) > LISTED else ""
    return ", ".join(map(shown, value[:LISTED])) + more or "-"


@cache
def people() -> Terminal:
    """Where output for people goes: stderr, so that stdout stays machine-readable."""
    return Terminal(stderr=True)


def _stdout() -> Terminal:
    return Terminal(sys.stdout)


def warn(lines: Iterable[str]) -> None:
    """Print what a user should know about a result, a line each."""
    for line in lines:
        say(f"warning: {line}")


def show(found: Printable | Table | str) -> None:
    """Print a table for people; where it stands for the command's JSON it goes to stdout."""
    finish()
    console = _stdout() if at_terminal() else people()
    if isinstance(found, str):
        console.print(printable_lines(found), soft_wrap=True)
    else:
        console.print(found if isinstance(found, Table) else found.table())


def say(lines: str) -> None:
    """A line for people, or several, whatever they contain."""
    finish()
    people().print(printable_lines(lines), soft_wrap=True)


def put(line: str) -> None:
    """One line for people who asked for nothing else, on stdout."""
    typer.echo(printable(line))
