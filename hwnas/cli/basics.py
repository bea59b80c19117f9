"""`hwnas engines` and `hwnas count`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, AsLines, emit, put, say
from hwnas.cli.shared import SPACE_HELP, Classes, Resolutions, Where


def engines(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENGINE]…", help="By default all; also python:module:Class, a runtime of your own."),
    ] = None,
    as_json: AsLines = False,
    where: Where = "",
) -> None:
    """List the engines available on a machine; for each other one, the reason and the fix."""
    found = hwnas.engines(*(names or ()), host=where)
    for row, what in zip(found, found.lines, strict=True):
        if as_json:
            emit(row)
        else:
            put(f"{row['engine']:18} {'yes ' if row['available'] else 'no  '} {what}")


def count(
    archs: Annotated[
        Path, typer.Option(help="Architectures, one JSON object a line; or a net.config of once-for-all.")
    ],
    space: Annotated[
        str | None,
        typer.Option(help=f"{SPACE_HELP}; not needed if the file names it."),
    ] = None,
    resolutions: Resolutions = None,
    classes: Classes = None,
    as_json: AsJson = False,
) -> None:
    """Count the parameters and multiply-adds of each architecture; prints a line of JSON for each."""
    found = hwnas.Networks.read(archs, space, resolutions=resolutions, classes=classes)
    for line in found.notes:
        say(line)
    for network in found:
        emit({"params": network.params, "madds": network.madds})


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(engines)
    app.command()(count)
