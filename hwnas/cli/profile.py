"""`hwnas profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.shared import State, emit, people
from profilers.base import STEADY, Options


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
    html: Annotated[Path | None, typer.Option(help="Write a page of the result.")] = None,
) -> None:
    """Measure any model, end to end and by layer; prints a line of JSON for each engine and precision."""
    from hwnas.onnx.open_model import open_model, parse_shapes
    from hwnas.profile.candidates import engines_of, precisions_of
    from hwnas.profile.measure import profile_model
    from hwnas.profile.page import check_place, write_page

    if html:
        check_place(html)
    options = Options(threads, state=state)
    profilers = engines_of(engine)
    opened = open_model(model, parse_shapes(shape or ()), batch)
    found = profile_model(opened, profilers, options, precisions_of(precision, engine, opened))
    for each in found:
        emit(each.to_json())
    people().print(str(found), markup=False, soft_wrap=True)
    if html:
        write_page(found, html)
        people().print(f"written to {html}", markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(profile)
