"""The options of `hwnas export` and `hwnas validate`; one that would change nothing for an engine is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import lut
from hwnas.data.reference import resolve_reference
from hwnas.export.engine_selection import MAX_DROP
from hwnas.export.engines import ENGINES, get_engine
from hwnas.export.item import predicts
from hwnas.export.pipeline import AUTO
from hwnas.export.weights import Wanted
from lut import LatencyTable
from profilers.base import Options
from profilers.errors import BadInput

# The source, and which networks of it
SourcePath = Annotated[
    Path,
    typer.Argument(metavar="RUN|FILE", help="A run's folder; or a file: ARCH.json, net.config or NET.safetensors."),
]
Ids = Annotated[list[str] | None, typer.Option("--id", help="A network of the run; may be given again.")]
Front = Annotated[bool, typer.Option("--all", help="The whole front; resumes where it was interrupted.")]
Optimistic = Annotated[bool, typer.Option(help="Judge latency by the point prediction, not by its interval.")]
SpaceOfFile = Annotated[
    str | None, typer.Option("--space", help="Search space of ARCH.json, if the file does not name it.")
]
Tables = Annotated[
    list[Path] | None, typer.Option("--table", help="Latency table that predicts the engine, beside those of a run.")
]

# Its weights
Supernet = Annotated[Path | None, typer.Option(help="Supernet to inherit weights from; by default the run's own.")]
RandomWeights = Annotated[bool, typer.Option("--random-weights", help="Untrained weights, to measure latency only.")]
DatasetName = Annotated[
    str | None, typer.Option("--dataset", help="Data set for BatchNorm's statistics, as in imagenet:DIR.")
]
Images = Annotated[
    Path | None,
    typer.Option(help="Images for the BatchNorm statistics of a published supernet; one folder a class gives top-1."),
]
NoRecalibration = Annotated[
    bool, typer.Option("--no-recalibration", help="Keep the BatchNorm statistics of a published supernet.")
]

# The engine
Out = Annotated[Path, typer.Option("--out", help="Folder to write; several networks get a folder each in it.")]
EngineName = Annotated[str, typer.Option("--engine", help=f"{', '.join(ENGINES)}; or auto: the fastest of all.")]
Precision = Annotated[
    str | None, typer.Option("--precision", help="What the engine computes in, by default fp32; auto tries all.")
]
Batch = Annotated[int | None, typer.Option(help="Images per run; by default 1, on a GPU 64.")]
Threads = Annotated[int, typer.Option(help="Threads of the engine.")]
Gpus = Annotated[list[str] | None, typer.Option("--target", help="GPU to build for, as in sm86; may be given again.")]
MaxDrop = Annotated[
    float | None,
    typer.Option("--max-accuracy-drop", help=f"Points of top-1 that auto may lose; by default {MAX_DROP}."),
]
Calibration = Annotated[
    Path | None, typer.Option(help="Images to calibrate int8 with: a folder, or an .npz of (n, C, r, r).")
]
Compiled = Annotated[
    bool | None, typer.Option("--compiled/--no-compiled", help="With auto: time torch.compile, too (the default).")
]
Quick = Annotated[bool, typer.Option(help="Leave out throughput, memory and cold start.")]

# Of `hwnas validate`
ExportedFolder = Annotated[Path, typer.Argument(metavar="DIR", help="An exported folder.")]
Force = Annotated[bool, typer.Option(help="Measure even if this is another device or setting.")]
Rebuild = Annotated[bool, typer.Option(help="First build the engine again for this machine.")]


def batch_of(engine: str, batch: int | None) -> int:
    """The batch that was asked for, or the usual one of the engine."""
    return (1 if engine == AUTO else get_engine(engine).batch) if batch is None else batch


def weights(supernet: Path | None, random: bool, dataset: str | None, images: Path | None, stale: bool) -> Wanted:
    """The weights that are asked for; a supernet's file may lie where `hwnas fetch` has put it."""
    from hwnas.fetch import cached

    if supernet is not None and not supernet.exists():
        supernet = cached(str(supernet)) or supernet
    reference = dataset and resolve_reference(dataset, Path())
    return Wanted(supernet, random, reference, images and images.absolute(), not stale)


def check_engine(
    engine: str, precision: str | None, *, max_drop: float | None, compiled: bool | None, calibration: Path | None
) -> None:
    """BadInput for an option that would not change this engine; None where it was not given."""
    if engine == AUTO and precision is not None:
        raise BadInput(f"--precision {precision} with --engine auto", "none: auto tries all", "the same without it")
    for option, value in (("--max-accuracy-drop", max_drop), ("--compiled", compiled)):
        if engine != AUTO and value is not None:
            raise BadInput(f"{option} with --engine {engine}", "only with --engine auto", "the same without it")
    if engine != AUTO and calibration is not None and precision != "int8":
        got = f"--calibration with --precision {precision or 'fp32'}"
        raise BadInput(got, "only with --precision int8, or --engine auto", "the same without it")


def read_tables(paths: Sequence[Path], engine: str, options: Options) -> list[LatencyTable]:
    """The tables of `--table`; BadInput for one that predicts no engine like this."""
    found = []
    for path in paths:
        table = lut.load(path)
        if not any(predicts(table, name, wanted) for name, wanted in _settings(table, engine, options)):
            made = table.fingerprint.runtime if table.fingerprint else f"{table.status}, without a runtime"
            o, precision = table.options, "any precision" if engine == AUTO else options.precision
            got = f"{path} predicts no engine like this ({made}, {o.precision}, batch {o.batch}, {o.threads} thread(s))"
            raise BadInput(got, f"{engine}, {precision}, batch {options.batch}, {options.threads} thread(s)")
        found.append(table)
    return found


def _settings(table: LatencyTable, engine: str, options: Options) -> list[tuple[str, Options]]:
    """Runtimes and settings that an engine may have; auto tries all precisions."""
    if engine != AUTO:
        return [(get_engine(engine).profiler, options)]
    any_precision = Options(options.threads, table.options.precision, options.batch)
    return [(e.profiler, any_precision) for e in ENGINES.values()]
