"""`hwnas lut …`: build, verify, predict, show, estimate, import and export latency tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import hwnas
from hwnas.cli import lut_networks
from hwnas.cli.output import AsJson, AsLines, emit, emit_all, put, say, warn
from hwnas.cli.shared import (
    Classes,
    Fresh,
    OwnEngine,
    Resolutions,
    Resume,
    Several,
    SpaceName,
    State,
    Where,
    know_engine,
)
from hwnas.space import parse_resolutions
from profilers.base import STEADY
from profilers.errors import BadInput

Table = Annotated[Path, typer.Argument(help="A latency table.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="The table's file.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Continue even if the device or the settings differ.")]

group = typer.Typer(help="Latency tables: layer to milliseconds, with their uncertainty.", no_args_is_help=True)


def build(
    space: SpaceName,
    engine: Annotated[str, typer.Option(help="Runtime, see hwnas engines.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The table's file; of --device by default {device}.json, by its name.")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, bf16, fp16 or int8, as hwnas engines says.")] = "fp32",
    batch: Annotated[int, typer.Option(help="Images per run.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of the runtime.")] = 1,
    optimization: Annotated[str, typer.Option(help="Graph optimization of the runtime; by default its best.")] = "",
    method: Annotated[str, typer.Option(help="in-context or isolated.")] = "in-context",
    state: State = STEADY,
    resolutions: Resolutions = None,
    classes: Classes = None,
    budget_seconds: Annotated[float | None, typer.Option(help="Soft limit on the measuring time.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the networks that are measured.")] = 0,
    fresh: Fresh = False,
    force: Annotated[bool, typer.Option("--force", hidden=True)] = False,
    resume: Resume = False,
    where: Several = None,
) -> None:
    """Measure a table; if it is interrupted, the same command resumes."""
    if budget_seconds is not None and budget_seconds <= 0:
        raise BadInput(f"--budget-seconds {budget_seconds:g}", "more than 0")
    if out is None and not where:
        raise BadInput("no --out", "the table's file", "--out table.json")
    devices = [hwnas.Device(engine, threads, precision, batch, optimization, state, host) for host in where or [""]]
    tables = hwnas.build_tables(
        devices, space, out or "{device}.json", resolutions=resolutions, classes=classes, method=method,
        budget_seconds=budget_seconds, seed=seed, fresh=fresh or force,
    )  # fmt: skip
    for name in tables.built:
        _tell(tables.files[name], tables[name].data.provenance.get("warnings"))
    tables.require()


def verify(
    table: Table,
    archs: Annotated[int, typer.Option(help="How many networks.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the networks.")] = 0,
    force: Force = False,
    classes: Classes = None,
    store: Annotated[bool, typer.Option(help="Store the figures in the table.")] = True,
    engine: OwnEngine = None,
    where: Where = "",
    as_json: AsJson = False,
) -> None:
    """Measure new random networks end to end and compare them with the table; prints JSON."""
    know_engine(engine)
    figures = hwnas.LatencyTable(table, host=where).verify(archs, seed, classes=classes, force=force, store=store)
    emit(figures.to_json())
    warn(figures.remarks)


def predict(
    table: Table,
    archs: Annotated[Path, typer.Option(help="Architectures, one JSON object a line.")],
    classes: Classes = None,
    as_json: AsJson = False,
) -> None:
    """Predict the latency of each architecture with its interval; prints a line of JSON for each."""
    held = hwnas.LatencyTable(table)
    warn(held.remarks)
    predicted = held.predict_file(archs, classes=classes)
    how = {"classes": predicted.networks[0].space.classes, "classifier": predicted.how} if predicted.how else {}
    emit_all({**row, **how} for row in predicted)
    warn([predicted.how] if predicted.rough else [])


def show(
    table: Table,
    resolution: Annotated[int | None, typer.Option(help="Resolution of the heat map.")] = None,
    as_json: AsLines = False,
    html: Annotated[Path | None, typer.Option(help="Write one HTML file with all heat maps.")] = None,
) -> None:
    """Show fingerprint, method, figures of the last verify, and a heat map."""
    if as_json and (html is not None or resolution is not None):
        other = "--html" if html is not None else "--resolution"
        raise BadInput(f"{other} with --json, which has no heat map", "one of them")
    held = hwnas.LatencyTable(table)
    held.pixels(resolution)
    if html is not None:
        held.page(html, resolution)
        _tell(html, [])
        return
    lines = held.facts()
    if as_json:
        emit([{"name": name, "value": value} for name, value in lines])
        return
    for name, value in lines:
        put(f"{name:12} {value}")
    typer.echo("\n" + "\n".join(held.heat_map(resolution)))


def estimate(
    space: SpaceName,
    out: Out,
    gpu: Annotated[str, typer.Option(help="The card.")] = "GTX 1080 Ti",
    batch: Annotated[int, typer.Option(help="Images per run.")] = 64,
    resolutions: Resolutions = None,
    classes: Classes = None,
    networks: Annotated[
        Path | None, typer.Option(help='Lines {"arch": …, "latency_ms": …} measured on the card; one is enough.')
    ] = None,
) -> None:
    """Estimate a table from a GPU's data sheet: good for ranking; milliseconds need one network measured on it."""
    if networks is not None:
        chosen = hwnas.get_space(space, parse_resolutions(resolutions), classes)
        measured = hwnas.MeasuredNetworks.read(networks, classes=classes, expected=chosen)
        hwnas.LatencyTable.estimate(chosen, gpu, batch, measured=measured).save(out)
        _tell(out, [])
        return
    found = hwnas.LatencyTable.estimate(space, gpu, batch, resolutions=resolutions, classes=classes).save(out)
    _tell(out, [f"estimated from the data sheet of {found.device}, not measured: good for ranking only"])


def import_(
    files: Annotated[list[Path], typer.Argument(help="Published files.")],
    space: SpaceName,
    out: Out,
    format_name: Annotated[str, typer.Option("--format", help="nsganetv2, ofa or proxylessnas.")],
    resolutions: Resolutions = None,
    device: Annotated[str, typer.Option(help="Name of the device.")] = "",
    classes: Annotated[
        int | None, typer.Option(help="Classes of the files' networks; the table serves any number.")
    ] = None,
) -> None:
    """Read a table of a published format."""
    found = hwnas.LatencyTable.import_published(
        format_name, files, space, device, resolutions=resolutions, classes=classes
    )  # fmt: skip
    found.save(out)
    _tell(out, list(found.remarks))


def export(
    table: Table,
    format_name: Annotated[str, typer.Option("--format", help="nsganetv2, ofa or proxylessnas.")],
    out: Annotated[Path, typer.Option(help="A file; for ofa a folder of a file per resolution.")],
    classes: Classes = None,
) -> None:
    """Write a table in a published format."""
    for path in hwnas.LatencyTable(table).write(format_name, out, classes=classes):
        _tell(path, [])


def _tell(out: Path, warnings: list[str] | None) -> None:
    warn(warnings or [])
    say(f"wrote {out}")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    few = (lut_networks.plan, lut_networks.measure, lut_networks.fit)
    for command in (build, verify, predict, show, estimate, *few, export):
        group.command()(command)
    group.command("import")(import_)
    app.add_typer(group, name="lut")
