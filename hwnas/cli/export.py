"""`hwnas export` and `hwnas validate`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hwnas.cli.export_options import ARCH, AUTO, NET_CONFIG, NETWORK, RUN, check_engine, check_source, read_tables
from hwnas.cli.shared import Classes, Resolutions, emit, networks_of, people, people_table, warn
from hwnas.data.reference import resolve_reference
from hwnas.export.engines import ENGINES, get_engine
from hwnas.ofa.network_files import check_classes, holds_net_config, read_network
from hwnas.space import parse_resolutions
from profilers.base import Options
from profilers.errors import BadInput

if TYPE_CHECKING:
    from hwnas.export.batch import Batch
    from hwnas.export.item import Job
    from hwnas.export.weights import Wanted
    from lut import LatencyTable

MAX_DROP = 0.5  # points


def export(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|FILE", help="A run's folder; ARCH.json, a net.config or NET.safetensors.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write; one engine lies in it, several in a folder each.")],
    engine: Annotated[str, typer.Option(help=f"One of {', '.join(ENGINES)}, or auto: the fastest.")] = "onnxruntime",
    ids: Annotated[list[str] | None, typer.Option("--id", help="Network of the run; may be given again.")] = None,
    whole: Annotated[bool, typer.Option("--all", help="The whole front; goes on where it was interrupted.")] = False,
    optimistic: Annotated[bool, typer.Option(help="Choose by the middle of a latency's interval.")] = False,
    space: Annotated[str | None, typer.Option(help="Search space of ARCH.json, where it does not say it.")] = None,
    resolutions: Resolutions = None,
    classes: Classes = None,
    supernet: Annotated[
        Path | None, typer.Option(help="Supernet to inherit weights from; a run's own if not given.")
    ] = None,
    random: Annotated[bool, typer.Option("--random-weights", help="Never trained, for latency only.")] = False,
    dataset: Annotated[str | None, typer.Option(help="Data set for BatchNorm's statistics, as imagenet:DIR.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Pictures for them, of a published supernet; with a folder a class, top-1 too.")
    ] = None,
    stale: Annotated[
        bool, typer.Option("--no-recalibration", help="Statistics as a published supernet has them.")
    ] = False,
    tables: Annotated[
        list[Path] | None, typer.Option("--table", help="Latency table that predicts it, beside those of a run.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="What the engine computes in, fp32 by default; auto tries all.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Images a run; by default 1, and 64 on a GPU.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of the engine.")] = 1,
    target: Annotated[list[str] | None, typer.Option(help="GPU to build for, as in sm86; may be given again.")] = None,
    max_drop: Annotated[
        float | None, typer.Option("--max-accuracy-drop", help=f"Points of top-1 that auto may lose; {MAX_DROP}.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Images for int8: a folder, or .npz with (n, C, r, r).")
    ] = None,
    compiled: Annotated[
        bool | None, typer.Option("--compiled/--no-compiled", help="With auto, time torch.compile too (the default).")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Leave out throughput, memory and cold start.")] = False,
) -> None:
    """Build engines, prove and measure them, and write each with its datasheet; JSONL of their figures."""
    from hwnas.export import source as sources
    from hwnas.export.batch import export_each
    from hwnas.export.pipeline import Request
    from hwnas.export.pipeline import export as run_export
    from hwnas.export.runtime_costs import DEPTH, SHALLOW
    from hwnas.export.weights import Wanted

    kind = _kind(source)
    said = {"--id": ids, "--all": whole, "--optimistic": optimistic, "--space": space, "--resolutions": resolutions,
            "--classes": classes is not None, "--supernet": supernet, "--random-weights": random, "--table": tables,
            "--dataset": dataset, "--images": images, "--no-recalibration": stale}  # fmt: skip
    check_source(source, kind, said)
    given = {"--max-accuracy-drop": max_drop, "--compiled": compiled, "--calibration": calibration}
    check_engine(engine, precision, given)
    size = (1 if engine == AUTO else get_engine(engine).batch) if batch is None else batch
    references = ("eager",) if compiled is False else ("eager", "compiled")
    request = Request(
        engine, Options(threads, precision or "fp32", size), tuple(target or ()),
        MAX_DROP if max_drop is None else max_drop, calibration, references,
        depth=SHALLOW if quick else DEPTH, command=_command(),
    )  # fmt: skip
    reference = dataset and resolve_reference(dataset, Path())
    wanted = Wanted(_located(supernet), random, reference, images and images.absolute(), not stale)
    known = read_tables(tables or [], engine, request.options)
    if kind != RUN:
        _print(run_export({"": _job(source, kind, (space, resolutions, classes), wanted, known)}, request, out), out)
        return
    choice = {"front": whole, "optimistic": optimistic}
    with sources.RunSource(source, ids, wanted=wanted, tables=known, **choice) as run:
        warn(run.notes)
        if whole:
            _print_batch(export_each(run.ids, run.job, replace(request, weights=run.weights), out), out)
            return
        jobs = {key: run.job(key) for key in run.ids}
    _print(run_export(jobs, request, out), out)


def _located(supernet: Path | None) -> Path | None:
    """The file, or the one of that name that `hwnas fetch` has taken."""
    from hwnas.fetch import cached

    return supernet if supernet is None or supernet.exists() else cached(str(supernet)) or supernet


def _kind(source: Path) -> str:
    """What is exported, as `check_source` calls it."""
    if source.is_dir():
        return RUN
    if source.suffix == ".safetensors":
        return NETWORK
    return NET_CONFIG if holds_net_config(source) else ARCH


def _job(
    source: Path, kind: str, options: tuple[str | None, str | None, int | None], wanted: Wanted,
    tables: Sequence[LatencyTable],
) -> Job:  # fmt: skip
    """The network of a file; `options` are --space, --resolutions and --classes."""
    from hwnas.export import source as sources

    space, resolutions, classes = options
    if kind == NETWORK:
        return sources.job_of_network(source, tables)
    if kind == NET_CONFIG:
        network = read_network(source, parse_resolutions(resolutions), space)
        check_classes(network, source, classes)
        people().print(f"{source}: {network}", markup=False, soft_wrap=True)
        return sources.job_of_net_config(source, network, wanted, tables)
    home, archs = networks_of(source, *options)
    if len(archs) > 1:
        raise BadInput(f"{source} holds {len(archs)} architectures", "one", "a file with one line of them")
    return sources.job_of_arch(source, home, archs[0], wanted, tables)


def validate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An exported folder.")],
    force: Annotated[bool, typer.Option(help="Measure although this is another device or setting.")] = False,
    rebuild: Annotated[bool, typer.Option(help="First build a TensorRT engine again, for the GPU here.")] = False,
    quick: Annotated[bool, typer.Option(help="Leave out throughput, memory and cold start.")] = False,
) -> None:
    """Measure an exported engine again, here, and compare it with its datasheet; JSON."""
    from hwnas.export.runtime_costs import DEPTH, SHALLOW
    from hwnas.export.validate import validate as run_validate

    found = run_validate(folder, force=force, anew=rebuild, depth=SHALLOW if quick else DEPTH)
    emit(found)
    people().print(_changes(found))
    for line in found["differences"]:
        people().print(f"differs: {line}", markup=False, soft_wrap=True)


def _command() -> str:
    """The command line, as a datasheet repeats it."""
    return shlex.join(["hwnas", *sys.argv[1:]])


def _print(sheets: dict[str, dict[str, Any]], out: Path) -> None:
    for name, sheet in sheets.items():
        emit({"folder": str(out / name), **_figures(sheet)})
        warn(f"{sheet['name']}: {line}" for line in sheet["warnings"])
        if sheet["contest"]:
            people().print(contest_table(sheet))
            for line in _reasons(sheet["contest"]):
                people().print(line, markup=False)
    if sheets:
        people().print(_table(sheets))


def _print_batch(batch: Batch, out: Path) -> None:
    _print(batch.done, out)
    text = f"{len(batch.done)} exported, {len(batch.kept)} were there already, {len(batch.failed)} failed"
    people().print(text)
    for key, error in batch.failed.items():
        people().print(f"{key}: {error}", markup=False)
    if batch.failed:
        raise typer.Exit(1)


def _figures(sheet: dict[str, Any]) -> dict[str, Any]:
    latency, parity, contest = sheet["latency"], sheet["parity"].get("seeded noise", {}), sheet["contest"]
    figures = {
        "id": sheet["name"], "engine": sheet["engine"]["name"], "precision": sheet["engine"]["precision"],
        "predicted_ms": latency["predicted"]["value"],
        "measured_ms": latency["measured"]["value"], "within_interval": latency["within_interval"],
        "parity_max_abs": parity.get("max_abs"), "top1": sheet["accuracy"]["top1"]["value"],
        "top1_low": sheet["accuracy"]["top1"].get("low"), "top1_high": sheet["accuracy"]["top1"].get("high"),
        "warnings": sheet["warnings"],
    }  # fmt: skip
    return figures | ({"contest": contest} if contest else {})


def contest_table(sheet: dict[str, Any]) -> Table:
    """All candidates of one network, fastest first, and torch as a reference."""
    contest = sheet["contest"]
    table = Table(title=f"{sheet['name']}: every engine here", caption=f"top-1 {contest['accuracy']}")
    for column in ("engine", "ms", "x", "top-1", "lost", "parity", "MB", "allowed"):
        table.add_column(column, justify="right", no_wrap=column == "engine")
    rows = sorted(contest["candidates"], key=lambda c: c["latency"]["value"] if c["latency"] else float("inf"))
    winner = next(c["latency"]["value"] for c in rows if not c["refused"])
    for c in rows:
        parity = "-" if c["parity"] is None else f"{c['parity']['max_rel']:.1g}"
        table.add_row(
            f"{c['engine']} {c['precision']}", *_ratio(c["latency"], winner), _number(c["top1"], 2),
            _number(c["lost"], 2), parity, _number(c["bytes"] / 1e6 or None, 2), "no" if c["refused"] else "yes",
        )  # fmt: skip
    for name, figure in contest["references"].items():
        table.add_row(f"torch {name}", *_ratio(figure, winner))
    return table


def _reasons(contest: dict[str, Any]) -> list[str]:
    """Why it was chosen, why others were not, and why torch is not there."""
    refused = [f"{c['engine']} {c['precision']}: {c['refused']}" for c in contest["candidates"] if c["refused"]]
    absent = [f"torch {name}: {f['how']}" for name, f in contest["references"].items() if f["value"] is None]
    return [f"chosen: {contest['why']}", *refused, *absent]


def _ratio(figure: dict[str, Any] | None, winner: float) -> tuple[str, str]:
    """A latency, and how many times the winner's it is."""
    if figure is None or figure["value"] is None:
        return "-", "-"
    return interval(figure), f"{figure['value'] / winner:.2f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _changes(found: dict[str, Any]) -> Table:
    table = Table(title="The datasheet and this machine, now")
    for column in ("figure", "datasheet", "here", "change"):
        table.add_column(column, justify="right")
    for name, row in found["changes"].items():
        change = "-" if row["change"] is None else f"{100 * row['change']:+.1f} %"
        table.add_row(name, f"{row['datasheet']:.4g} {row['unit']}", f"{row['here']:.4g} {row['unit']}", change)
    return table


def _table(sheets: dict[str, dict[str, Any]]) -> Table:
    """The chosen networks for people, narrow enough for 80 columns."""
    first = next(iter(sheets.values()))
    others = [name for name, f in first["objectives"].items() if f["how"].startswith("estimated")]
    measured = first["latency"]["measured"]
    caption = f"top-1: {_judged(first)}; ms: this engine" + "".join(f"; {n}: estimated" for n in others)
    columns = ("id", "top-1", "params", "MAdds", "predicted ms", "measured ms", *others)
    table = people_table("Exported engines", columns, caption if measured["value"] else measured["how"])
    for sheet in sheets.values():
        latency, top1, objectives = sheet["latency"], sheet["accuracy"]["top1"], sheet["objectives"]
        table.add_row(
            sheet["name"], _accuracy(top1), short(objectives["params"]["value"]),
            short(objectives["madds"]["value"]), interval(latency["predicted"]), interval(latency["measured"]),
            *(f"{objectives[name]['value']:.3g}" for name in others),
        )  # fmt: skip
    return table


def _accuracy(figure: dict[str, Any]) -> str:
    """A top-1 as "91.67 % (80.5 to 96.7)", without the interval where it has none."""
    if figure["value"] is None:
        return "-"
    ends = f" ({figure['low']:.1f} to {figure['high']:.1f})" if figure.get("low") is not None else ""
    return f"{figure['value']:.2f} %{ends}"


def _judged(sheet: dict[str, Any]) -> str:
    """What the accuracy of an engine is of, or that there is none."""
    accuracy = sheet["accuracy"]
    return "not measured" if accuracy["top1"]["value"] is None else f"this engine on the {accuracy['split']} split"


def short(value: float) -> str:
    """A count as 3.41 M or 39.4 k."""
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def interval(figure: dict[str, Any]) -> str:
    """A latency as "1.23 ±0.01" (the wider side of its interval), or "-" where there is none."""
    value, low, high = (figure.get(k) for k in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "-" if value is None else f"{value:.3g}"
    return f"{value:.3g} ±{max(value - low, high - value):.1g}"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(export)
    app.command()(validate)
