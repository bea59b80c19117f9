"""`hwnas report` and `hwnas watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, emit_for_programs, say

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="A run's folder, or several.")]


def report(
    runs: Runs,
    out: Annotated[
        Path | None, typer.Option(help="File to write; by default RUN/report.html, of several runs RUN/runs.html.")
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A run to draw beside the first: random search, or another seed; may be given again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write runs as one self-contained HTML file: what to ship, budgets to move, fronts, accuracy of the latencies."""
    path = hwnas.Run(runs[0]).report(out, compare=compare or [], others=runs[1:])
    emit_for_programs({"report": str(path), "bytes": path.stat().st_size})
    say(f"Open {path} in a browser.")


def watch(
    runs: Runs,
    port: Annotated[int, typer.Option(help="Of the page on this machine's loopback; 0 for any free one.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show the report of runs while they are searched, here or by another machine that shares their folder."""
    with hwnas.watch(runs, port) as page:
        emit_for_programs({"address": page.address, "runs": [str(run) for run in runs]})
        say(page.standing)
        say(f"Open {page.address} in a browser of this machine; Ctrl-C ends this, and not the search.")
        page.wait()


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(report)
    app.command()(watch)
