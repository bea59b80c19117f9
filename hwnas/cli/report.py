"""`hwnas report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.shared import emit, people


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    out: Annotated[Path | None, typer.Option(help="File to write; by default RUN/report.html.")] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A run to draw beside it: random search, or another seed; may be given again."),
    ] = None,
) -> None:
    """Write the run as one self-contained HTML file: chosen networks, fronts, accuracy of the latencies."""
    path = hwnas.Run(run).report(out, compare=compare or [])
    emit({"report": str(path), "bytes": path.stat().st_size})
    people().print(f"Open {path} in a browser.")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(report)
