"""`hwnas engines` and `hwnas count`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.shared import Classes, Resolutions, emit, networks_of, people
from hwnas.ofa.network_files import check_classes, holds_net_config, read_network
from hwnas.space import SPACES, LayerSpec, parse_resolutions
from profilers.registry import PROFILERS, get_profiler


def engines(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """List the engines available on this machine; for each other one, the reason and the fix."""
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
    archs: Annotated[
        Path, typer.Option(help="Architectures, one JSON object a line; or a net.config of once-for-all.")
    ],
    space: Annotated[
        str | None, typer.Option(help=f"Search space: {', '.join(SPACES)}; not needed if the file names it.")
    ] = None,
    resolutions: Resolutions = None,
    classes: Classes = None,
) -> None:
    """Count the parameters and multiply-adds of each architecture; prints a line of JSON for each."""
    if holds_net_config(archs):
        network = read_network(archs, parse_resolutions(resolutions), space)
        check_classes(network, archs, classes)
        people().print(f"{archs}: {network}", markup=False, soft_wrap=True)
        _emit_counts(network.layers)
        return
    chosen, found = networks_of(archs, space, resolutions, classes)
    for arch in found:
        _emit_counts(chosen.layers(arch))


def _emit_counts(layers: Sequence[LayerSpec]) -> None:
    emit({"params": sum(x.params for x in layers), "madds": sum(x.madds for x in layers)})


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(engines)
    app.command()(count)
