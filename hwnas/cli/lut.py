"""`hwnas lut …`: build, verify, predict, show, estimate, import and export latency tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli import lut_networks
from hwnas.cli.shared import Classes, Resolutions, SpaceName, State, emit, people, space_of, warn
from hwnas.ofa.network_files import read_networks
from hwnas.space import SearchSpace, space_of_table
from lut import LatencyTable, load, save
from profilers.base import STEADY, Options
from profilers.errors import BadInput
from profilers.files import write_text
from profilers.registry import get_profiler

Table = Annotated[Path, typer.Argument(help="A latency table.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="The table's file.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Continue even if the device or the settings differ.")]

group = typer.Typer(help="Latency tables: layer to milliseconds, with their uncertainty.", no_args_is_help=True)


def build(
    space: SpaceName,
    engine: Annotated[str, typer.Option(help="Runtime, see hwnas engines.")],
    out: Out,
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
    force: Force = False,
) -> None:
    """Measure a table on this machine; if it is interrupted, the same command resumes."""
    from hwnas.onnx.writer import write_onnx
    from lut.build.bench import Workbench
    from lut.build.pipeline import build as build_table
    from lut.build.schedule import BuildPlan

    if budget_seconds is not None and budget_seconds <= 0:
        raise BadInput(f"--budget-seconds {budget_seconds:g}", "more than 0")
    plan = BuildPlan(seed=seed) if budget_seconds is None else BuildPlan(seed=seed, budget_seconds=budget_seconds)
    options = Options(threads, precision, batch, optimization, state)
    workbench = Workbench(space_of(space, resolutions, classes), write_onnx, get_profiler(engine), options)
    table = build_table(workbench, out=out, method=method, plan=plan, force=force)
    _tell(out, table.provenance.get("warnings"))


def verify(
    table: Table,
    archs: Annotated[int, typer.Option(help="How many networks.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the networks.")] = 0,
    force: Force = False,
    classes: Classes = None,
    store: Annotated[bool, typer.Option(help="Store the figures in the table.")] = True,
) -> None:
    """Measure new random networks end to end and compare them with the table; prints JSON."""
    from hwnas.onnx.writer import write_onnx
    from lut.build.bench import Workbench
    from lut.verify import remarks, require_fingerprint
    from lut.verify import verify as verify_table

    loaded = load(table)
    profiler = get_profiler(require_fingerprint(loaded).runtime)
    space = table_space(loaded, classes)
    workbench = Workbench(space, write_onnx, profiler, loaded.options)
    figures = verify_table(loaded, workbench, archs=archs, seed=seed, force=force)
    if store:
        save(replace(loaded, verify=figures), table)
    emit(figures)
    warn(remarks(figures))


def predict(
    table: Table,
    archs: Annotated[Path, typer.Option(help="Architectures, one JSON object a line.")],
    classes: Classes = None,
) -> None:
    """Predict the latency of each architecture with its interval; prints a line of JSON for each."""
    loaded = load(table)
    warn(loaded.remarks)
    space, found = read_networks(archs, classes=classes, expected=table_space(loaded, classes))
    bound = loaded.bind(space)
    estimate, how = bound.predict(space.encode(found)), bound.classifier.how
    for ms, low, high in zip(*(x.tolist() for x in estimate), strict=True):
        emit({"ms": ms, "low": low, "high": high, **({"classes": space.classes, "classifier": how} if how else {})})
    warn([how] if bound.classifier.rough else [])


def show(
    table: Table,
    resolution: Annotated[int | None, typer.Option(help="Resolution of the heat map.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write one HTML file with all heat maps.")] = None,
) -> None:
    """Show fingerprint, method, figures of the last verify, and a heat map."""
    from lut.table.page import page
    from lut.table.show import draw, facts, heat, suspicious

    if as_json and (html is not None or resolution is not None):
        other = "--html" if html is not None else "--resolution"
        raise BadInput(f"{other} with --json, which has no heat map", "one of them")
    loaded = load(table)
    space = table_space(loaded)
    loaded.bind(space)
    pixels = space.resolutions[-1] if resolution is None else resolution
    if pixels not in space.resolutions:
        raise BadInput(f"resolution {pixels}", ", ".join(map(str, space.resolutions)))
    if html is not None:
        write_text(html, page(loaded, space, pixels))
        _tell(html, [])
        return
    lines = list(facts(loaded))
    lines += [("suspicious", f"{big} is faster than {small}") for small, big in suspicious(loaded, space)]
    if as_json:
        emit([{"name": name, "value": value} for name, value in lines])
        return
    for name, value in lines:
        typer.echo(f"{name:12} {value}")
    typer.echo("\n" + "\n".join(draw(heat(loaded, space, pixels))))


def estimate(
    space: SpaceName,
    out: Out,
    gpu: Annotated[str, typer.Option(help="The card.")] = "GTX 1080 Ti",
    batch: int = 64,
    resolutions: Resolutions = None,
    classes: Classes = None,
    networks: Annotated[
        Path | None, typer.Option(help='Lines {"arch": …, "latency_ms": …} measured on the card; one is enough.')
    ] = None,
) -> None:
    """Estimate a table from a GPU's data sheet: good for ranking; milliseconds need one network measured on it."""
    from lut.estimate.roofline import estimate as estimate_table
    from lut.estimate.roofline import scaled

    chosen = space_of(space, resolutions, classes)
    if networks is not None:
        chosen, archs = read_networks(networks, classes=classes, expected=chosen)
        save(scaled(estimate_table(chosen, gpu, batch), chosen, archs, lut_networks.latencies(networks)), out)
        _tell(out, [])
        return
    table = estimate_table(chosen, gpu, batch)
    save(table, out)
    _tell(out, [f"estimated from the data sheet of {table.device}, not measured: good for ranking only"])


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
    from lut.formats import import_table

    save(import_table(format_name, space_of(space, resolutions, classes), files, device), out)
    _tell(out, [])


def export(
    table: Table,
    format_name: Annotated[str, typer.Option("--format", help="nsganetv2, ofa or proxylessnas.")],
    out: Annotated[Path, typer.Option(help="A file; for ofa a folder of a file per resolution.")],
    classes: Classes = None,
) -> None:
    """Write a table in a published format."""
    from lut.formats import export_table

    loaded = load(table)
    for path in export_table(loaded, format_name, table_space(loaded, classes), out):
        _tell(path, [])


def table_space(table: LatencyTable, classes: int | None = None) -> SearchSpace:
    """The space that a table was made for, of its own or another number of classes; BadInput if it is not here."""
    return space_of_table(table, classes)


def _tell(out: Path, warnings: list[str] | None) -> None:
    warn(warnings or [])
    people().print(f"wrote {out}", markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    few = (lut_networks.plan, lut_networks.measure, lut_networks.fit)
    for command in (build, verify, predict, show, estimate, *few, export):
        group.command()(command)
    group.command("import")(import_)
    app.add_typer(group, name="lut")
