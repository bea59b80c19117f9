"""`hwnas export` and `hwnas validate`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hwnas.cli import export_options as options
from hwnas.cli.export_tables import changes_table, engines_table, export_row, selection_reasons, selection_table
from hwnas.cli.shared import Classes, Resolutions, emit, people, warn
from hwnas.export.engine_selection import MAX_DROP
from hwnas.export.pipeline import Request
from hwnas.export.pipeline import export as export_items
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.source_options import SourceOptions
from hwnas.space import parse_resolutions
from profilers.base import Options

if TYPE_CHECKING:
    from hwnas.export.many import ManyExported


def export(
    source: options.SourcePath, out: options.Out, engine: options.EngineName = "onnxruntime",
    ids: options.Ids = None, front: options.Front = False, optimistic: options.Optimistic = False,
    space: options.SpaceOfFile = None, resolutions: Resolutions = None, classes: Classes = None,
    supernet: options.Supernet = None, random: options.RandomWeights = False, dataset: options.DatasetName = None,
    images: options.Images = None, stale: options.NoRecalibration = False, tables: options.Tables = None,
    precision: options.Precision = None, batch: options.Batch = None, threads: options.Threads = 1,
    gpus: options.Gpus = None, max_drop: options.MaxDrop = None, calibration: options.Calibration = None,
    compiled: options.Compiled = None, quick: options.Quick = False,
) -> None:  # fmt: skip
    """Build engines, check and measure them, and write each with its datasheet; prints a line of JSON for each."""
    from hwnas.export.many import export_many
    from hwnas.export.source import open_source

    options.check_engine(engine, precision, max_drop=max_drop, compiled=compiled, calibration=calibration)
    request = Request(
        engine,
        Options(threads, precision or "fp32", options.batch_of(engine, batch)),
        tuple(gpus or ()),
        MAX_DROP if max_drop is None else max_drop,
        calibration,
        ("eager",) if compiled is False else ("eager", "compiled"),
        costs=CostPlan.QUICK if quick else CostPlan.FULL,
        command=shlex.join(["hwnas", *sys.argv[1:]]),
    )
    weights = options.weights(supernet, random, dataset, images, stale)
    known = options.read_tables(tables or [], engine, request.options)
    wanted = SourceOptions(
        ids or (), front, optimistic, space, parse_resolutions(resolutions), classes, weights, known
    )  # fmt: skip
    with open_source(source, wanted) as opened:
        warn(opened.notes)
        people().print(opened.about, end="\n" if opened.about else "", markup=False, soft_wrap=True)
        if front:
            _print_many(export_many(opened.ids, opened.item, replace(request, weights=opened.weights), out), out)
        else:
            _print(export_items({key: opened.item(key) for key in opened.ids}, request, out), out)


def validate(
    folder: options.ExportedFolder, force: options.Force = False, rebuild: options.Rebuild = False,
    quick: options.Quick = False,
) -> None:  # fmt: skip
    """Measure an exported engine again, on this machine, and compare it with its datasheet; prints JSON."""
    from hwnas.export.validate import validate as validate_folder

    found = validate_folder(folder, force=force, anew=rebuild, costs=CostPlan.QUICK if quick else CostPlan.FULL)
    emit(found)
    people().print(changes_table(found))
    for line in found["differences"]:
        people().print(f"differs: {line}", markup=False, soft_wrap=True)


def _print(sheets: dict[str, dict[str, Any]], out: Path) -> None:
    for name, sheet in sheets.items():
        emit({"folder": str(out / name), **export_row(sheet)})
        warn(f"{sheet['name']}: {line}" for line in sheet["warnings"])
        if sheet["engine_selection"]:
            people().print(selection_table(sheet))
            for line in selection_reasons(sheet["engine_selection"]):
                people().print(line, markup=False)
    if sheets:
        people().print(engines_table(sheets))


def _print_many(found: ManyExported, out: Path) -> None:
    _print(found.done, out)
    people().print(f"{len(found.done)} exported, {len(found.kept)} were there already, {len(found.failed)} failed")
    for key, error in found.failed.items():
        people().print(f"{key}: {error}", markup=False)
    if found.failed:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(export)
    app.command()(validate)
