"""`hwnas export` and `hwnas validate`."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import typer

import hwnas
from hwnas.cli import export_options as options
from hwnas.cli.output import AsJson, emit, emit_for_programs, say, show, warn
from hwnas.cli.shared import (
    Classes,
    Fresh,
    OwnEngine,
    Resolutions,
    Resume,
    Where,
    know_engine,
)  # fmt: skip

if TYPE_CHECKING:
    from hwnas.api.engines import Exported


def export(
    source: options.SourcePath, out: options.Out, engine: options.EngineName = "onnxruntime",
    ids: options.Ids = None, front: options.Front = False, optimistic: options.Optimistic = False,
    space: options.SpaceOfFile = None, resolutions: Resolutions = None, classes: Classes = None,
    supernet: options.Supernet = None, random: options.RandomWeights = False, dataset: options.DatasetName = None,
    images: options.Images = None, stale: options.NoRecalibration = False, tables: options.Tables = None,
    shapes: options.Shape = None, labels: options.Labels = None, preprocessing: options.Preprocessing = None,
    precision: options.Precision = None, batch: options.Batch = None, threads: options.Threads = 1,
    gpus: options.Gpus = None, max_drop: options.MaxDrop = None, tolerance: options.Tolerance = None,
    calibration: options.Calibration = None,
    compiled: options.Compiled = None, also: options.Also = None, quick: options.Quick = False,
    fresh: Fresh = False, resume: Resume = False, where: Where = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Build engines, check and measure them, and write each with its datasheet; prints a line of JSON for each."""
    from hwnas.onnx.open_model import parse_shapes

    found = hwnas.export(
        source, out, engine=engine, ids=ids or (), front=front, optimistic=optimistic, space=space,
        resolutions=resolutions, classes=classes, supernet=supernet, random_weights=random, dataset=dataset,
        images=images, recalibrate=not stale, tables=tables or (), shapes=parse_shapes(shapes or []), labels=labels,
        preprocessing=preprocessing, precision=precision, batch=batch, threads=threads, target=gpus or (),
        max_accuracy_drop=max_drop, tolerance=tolerance, calibration=calibration, compiled=compiled, also=also or (),
        quick=quick, fresh=fresh, device=where, command=shlex.join(["hwnas", *sys.argv[1:]]),
    )  # fmt: skip
    warn(found.notes)
    if found.about:
        say(found.about)
    _print(found)
    if front:
        say(f"{len(found)} exported, {len(found.kept)} were there already, {len(found.failed)} failed")
        for key, error in found.failed.items():
            say(f"{key}: {error}")
        if found.failed:
            raise typer.Exit(1)


def validate(
    folder: options.ExportedFolder, force: options.Force = False, rebuild: options.Rebuild = False,
    quick: options.Quick = False, engine: OwnEngine = None, where: Where = "", as_json: AsJson = False,
) -> None:  # fmt: skip
    """Measure an exported engine again and compare it with its datasheet; prints JSON."""
    know_engine(engine)
    found = hwnas.validate(folder, force=force, rebuild=rebuild, quick=quick, host=where)
    emit(found.to_json())
    show(found)
    for line in found.remarks:
        say(line)


def _print(found: Exported) -> None:
    from hwnas.api.engine_tables import selection_reasons, selection_table

    for engine in found:
        emit_for_programs(engine.row())
        warn(f"{engine.name}: {line}" for line in engine.remarks)
        if selection := engine.datasheet["engine_selection"]:
            show(selection_table(engine.datasheet))
            for line in selection_reasons(selection):
                say(line)
    if len(found):
        show(found)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(export)
    app.command()(validate)
