"""`hwnas compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.shared import emit, people, warn
from profilers.base import Options
from profilers.errors import BadInput
from profilers.registry import get_profiler

FOLDER = "known"


def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    models: Annotated[str, typer.Option(help="Known networks, comma-separated; by default a usual set.")] = "",
    ids: Annotated[list[str] | None, typer.Option("--id", help="A network of the run; may be given again.")] = None,
    optimistic: Annotated[
        bool, typer.Option(help="Judge latency by the point prediction, not by its interval.")
    ] = False,
    engine: Annotated[str, typer.Option(help="Runtime, see hwnas engines.")] = "onnxruntime",
    precision: Annotated[str, typer.Option(help="Precision that it computes in.")] = "fp32",
    batch: Annotated[int, typer.Option(help="Images per run.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of the runtime.")] = 1,
    size: Annotated[
        int, typer.Option(help="Input size of the known networks in pixels; 0: that of their training.")
    ] = 224,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the text, CSV, JSON and figure; by default RUN/known.")
    ] = None,
) -> None:
    """Measure the chosen networks beside known ones: the paper's Table 3 for this device; prints JSON."""
    from hwnas.compare import known, render
    from hwnas.compare.chosen import chosen_networks
    from hwnas.compare.measure import measure, of_known
    from hwnas.export.run_source import RunSource

    if size < 0:
        raise BadInput(f"--size {size}", "pixels, or 0 for each network's own")
    names = [name.strip() for name in models.split(",") if name.strip()] or list(known.usual())
    options = Options(threads, precision, batch)
    with RunSource(run, ids, optimistic=optimistic) as source:
        warn(source.notes)
        networks = chosen_networks(source, engine, options)
    networks += [of_known(known.make(name, size or None, batch)) for name in names]
    found = measure(networks, get_profiler(engine), options)
    folder = out or run / FOLDER
    render.write(found, folder)
    emit(found.to_json())
    people().print(render.text(found), markup=False, soft_wrap=True)
    people().print(f"written to {folder}/compare.txt, .csv, .json, .svg", markup=False)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(compare)
