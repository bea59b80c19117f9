"""`hwnas spaces` lists them, `hwnas space` looks into one."""

from __future__ import annotations

from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, emit_for_programs, show
from hwnas.cli.shared import SPACE_HELP, Classes, Resolutions
from profilers.errors import BadInput


def spaces(
    names: Annotated[list[str] | None, typer.Argument(metavar="[SPACE]...", help="By default all.")] = None,
    measure: Annotated[bool, typer.Option(help="Time the smallest and the largest network, shortly.")] = True,
    training: Annotated[bool, typer.Option("--training", help="Estimate a step of training, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List search spaces: channels, sizes, params, ms on this machine; prints a line of JSON for each."""
    found = hwnas.spaces(names or (), measure=measure, training=training)
    for row in found.to_json():
        emit_for_programs(row)
    show(str(found))


def space(
    name: Annotated[str, typer.Argument(metavar="SPACE", help=f"{SPACE_HELP}.")],
    table: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]FILE", help="A latency table, by default of cpu_ms; may be given again."),
    ] = None,
    budget: Annotated[list[str] | None, typer.Option(help='As in "cpu_ms<=10"; may be given again.')] = None,
    resolutions: Resolutions = None,
    classes: Classes = None,
    as_json: AsJson = False,
) -> None:
    """Show what networks of a space cost, and how many keep a budget, before anything is evaluated; prints JSON."""
    found = hwnas.space(name, tables=_named(table or []), budget=budget or (), resolutions=resolutions, classes=classes)
    emit_for_programs(found.to_json())
    show(str(found))


def _named(given: list[str]) -> dict[str, str]:
    """Tables by objective; one without a name is of cpu_ms."""
    found: dict[str, str] = {}
    for text in given:
        name, _, file = text.rpartition("=")
        if (name or "cpu_ms") in found:
            raise BadInput(f"--table {text}: a second one of {name or 'cpu_ms'}", "one of each", "--table gpu_ms=FILE")
        found[name or "cpu_ms"] = file
    return found


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (spaces, space):
        app.command()(command)
