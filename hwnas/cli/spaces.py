"""`hwnas spaces`."""

from __future__ import annotations

from typing import Annotated

import typer

import hwnas
from hwnas.cli.shared import emit, say


def spaces(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SPACE]...", help="By default all.")] = None,
    measure: Annotated[bool, typer.Option(help="Time the smallest and the largest network, shortly.")] = True,
    training: Annotated[bool, typer.Option("--training", help="Estimate a step of training, too.")] = False,
) -> None:
    """List search spaces: channels, sizes, params, ms on this machine; prints a line of JSON for each."""
    found = hwnas.spaces(names or (), measure=measure, training=training)
    for row in found.to_json():
        emit(row)
    say(str(found))


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(spaces)
