"""`hwnas profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, emit_for_programs, say, show
from hwnas.cli.shared import State, Where
from profilers.base import STEADY


def profile(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="An ONNX file, or python:module:NAME that gives a torch module.")
    ],
    engine: Annotated[
        str, typer.Option(help="Runtime, see hwnas engines; all: every one that works here.")
    ] = "onnxruntime",
    precision: Annotated[
        str,
        typer.Option(
            help="Precision that it computes in, or all; by default the model's own, and all with --engine all."
        ),
    ] = "",
    batch: Annotated[
        int | None, typer.Option(min=1, help="What a dynamic first dimension becomes; by default 1.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of the runtime.")] = 1,
    shape: Annotated[
        list[str] | None, typer.Option(help="Shape of an input, NAME=1x3x224x224; may be given again.")
    ] = None,
    state: State = STEADY,
    where: Where = "",
    html: Annotated[Path | None, typer.Option(help="Write a page of the result.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure any model, end to end and by layer; prints a line of JSON for each engine and precision."""
    from hwnas.onnx.open_model import parse_shapes

    found = hwnas.profile(
        model, engine=engine, precision=precision, batch=batch, threads=threads, shapes=parse_shapes(shape or ()),
        state=state, host=where, html=html,
    )  # fmt: skip
    for each in found:
        emit_for_programs(each.to_json())
    show(str(found))
    if html:
        say(f"written to {html}")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(profile)
