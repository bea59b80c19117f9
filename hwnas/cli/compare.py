"""`hwnas compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli.output import AsJson, emit_for_programs, say, show, warn
from hwnas.cli.shared import Where
from profilers.errors import BadInput


def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    models: Annotated[
        str,
        typer.Option(help="Known networks, and any MODEL.onnx; comma-separated; by default a usual set."),
    ] = "",
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
    weights: Annotated[
        Path | None,
        typer.Option(help="Folder of hwnas train finetune: its networks with their accuracy, known ones among them."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the text, CSV, JSON and figure; by default RUN/known.")
    ] = None,
    where: Where = "",
    as_json: AsJson = False,
) -> None:
    """Measure the chosen networks beside known ones: the paper's Table 3 for this device; prints JSON."""
    if size < 0:
        raise BadInput(f"--size {size}", "pixels, or 0 for each network's own")
    names = [name.strip() for name in models.split(",") if name.strip()]
    device = hwnas.Device(engine, threads, precision, batch, host=where)
    found = hwnas.compare(
        run, names, ids=ids or (), device=device, size=size or None, optimistic=optimistic, out=out, weights=weights
    )
    warn(found.notes)
    emit_for_programs(found.to_json())
    show(str(found))
    say(f"written to {found.folder}/compare.txt, .csv, .json, .svg")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(compare)
