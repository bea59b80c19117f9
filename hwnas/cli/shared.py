"""What several commands share: options, reading architectures, printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hwnas.ofa.network_files import read_networks
from hwnas.space import SPACES, Architecture, SearchSpace, get_space, parse_resolutions

SpaceName = Annotated[str, typer.Option("--space", help=f"Search space: {', '.join(SPACES)}.")]
Resolutions = Annotated[str | None, typer.Option("--resolutions", help="FIRST:LAST:STEP, or a list such as 160,192.")]
Classes = Annotated[int | None, typer.Option("--classes", help="Number of classes; by default the space's own.")]
State = Annotated[
    str,
    typer.Option(
        "--state",
        help="steady: back to back, as benchmark tools do; interrupted: with the caches evicted by other work.",
    ),
]


@cache
def people() -> Console:
    """Where output for people goes: stderr, so that stdout stays machine-readable."""
    return Console(stderr=True, highlight=False)


def warn(lines: Iterable[str]) -> None:
    """Print what a user should know about a result, a line each."""
    for line in lines:
        people().print(f"warning: {line}", markup=False, soft_wrap=True)


def people_table(title: str, columns: Iterable[str], caption: str = "") -> Table:
    """A table for people that fits 80 columns: no frame, numbers to the right."""
    table = Table(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify="left",
        caption_justify="left",
        collapse_padding=True,
    )
    for column in columns:
        table.add_column(column, justify="right")
    return table


def emit(value: Any) -> None:
    """One JSON value on one line of stdout."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def space_of(name: str, resolutions: str | None = None, classes: int | None = None) -> SearchSpace:
    """The space of `--space`, `--resolutions` and `--classes`."""
    return get_space(name, parse_resolutions(resolutions), classes)


def networks_of(
    path: Path, space: str | None, resolutions: str | None = None, classes: int | None = None, *, any_size: bool = False
) -> tuple[SearchSpace, list[Architecture]]:
    """The networks of a file and their space, by its lines or the same options; they must not contradict each other."""
    sizes = parse_resolutions(resolutions)
    return read_networks(path, space=space, sizes=sizes, classes=classes, any_size=any_size)
