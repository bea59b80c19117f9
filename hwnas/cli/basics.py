"""`hwnas engines` and `hwnas count`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.shared import Resolutions, SpaceName, emit, read_archs, space_of
from profilers.registry import PROFILERS, get_profiler


def engines(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """What can be measured and built here, and for the rest: why not and what would mend it."""
    for name in PROFILERS:
        profiler = get_profiler(name)
        status = profiler.status()
        precisions = list(profiler.supported_precisions() if status.available else profiler.precisions)
        if as_json:
            facts = {"reason": status.reason, "remedy": status.remedy, "precisions": precisions}
            emit(
                {"engine": name, "device": profiler.device, "available": status.available, "version": status.version}
                | facts
            )
        elif status.available:
            note = f"; {status.reason}" if status.reason else ""
            typer.echo(f"{name:18} yes  {status.version}  ({profiler.device}: {', '.join(precisions)}{note})")
        else:
            typer.echo(f"{name:18} no   {status.reason}" + (f"; try: {status.remedy}" if status.remedy else ""))


def count(
    space: SpaceName, archs: Annotated[Path, typer.Option(help="Architectures, one JSON object a line.")],
    resolutions: Resolutions = None,
) -> None:  # fmt: skip
    """Params and multiply-adds of each architecture, counted from its layers, as JSONL."""
    chosen = space_of(space, resolutions)
    for arch in read_archs(chosen, archs):
        layers = chosen.layers(arch)
        emit({"params": sum(x.params for x in layers), "madds": sum(x.madds for x in layers)})


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(engines)
    app.command()(count)
