"""`hwnas export` and `hwnas validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hwnas.cli.shared import Resolutions, emit, people, space_of
from hwnas.export.engines import ENGINES, get_engine
from profilers.base import Options
from profilers.errors import BadInput


def export(
    source: Annotated[Path, typer.Argument(metavar="RUN|ARCH.json", help="A run's folder, or an architecture's file.")],
    out: Annotated[Path, typer.Option(help="Folder to write; one engine lies in it, several in a folder each.")],
    engine: Annotated[str, typer.Option(help=f"One of {', '.join(ENGINES)}.")] = "onnxruntime",
    ids: Annotated[list[str] | None, typer.Option("--id", help="Network of the run; may be given again.")] = None,
    space: Annotated[str | None, typer.Option(help="Search space of ARCH.json.")] = None,
    resolutions: Resolutions = None,
    supernet: Annotated[Path | None, typer.Option(help="Supernet to inherit weights from; random without.")] = None,
    tables: Annotated[list[Path] | None, typer.Option("--table", help="Latency table that predicts it.")] = None,
    precision: Annotated[str, typer.Option(help="What the engine computes in.")] = "fp32",
    batch: Annotated[int | None, typer.Option(help="Images a run; by default 1, and 64 on a GPU.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of the engine.")] = 1,
    target: Annotated[list[str] | None, typer.Option(help="GPU to build for, as in sm86; may be given again.")] = None,
) -> None:
    """Build engines, prove and measure them, and write each with its datasheet; JSONL of their figures."""
    from hwnas.export import source as sources
    from hwnas.export.run import export as run_export

    if source.is_dir():
        jobs = sources.jobs_of_run(source, ids)
    elif space is None:
        raise BadInput(f"{source} is one architecture, but of which space", "--space NAME", "--space mbv3")
    else:
        jobs = {"": sources.job_of_arch(source, space_of(space, resolutions), supernet, tables or [])}
    options = Options(threads, precision, batch or get_engine(engine).batch)
    sheets = run_export(jobs, engine, options, out, targets=target or ())
    for name, sheet in sheets.items():
        emit({"folder": str(out / name), **_figures(sheet)})
    people().print(_table(sheets))


def validate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An exported folder.")],
    force: Annotated[bool, typer.Option(help="Measure although this is another device or setting.")] = False,
) -> None:
    """Measure an exported engine again, here, and compare it with its datasheet; JSON."""
    from hwnas.export.validate import validate as run_validate

    emit(run_validate(folder, force=force))


def _figures(sheet: dict[str, Any]) -> dict[str, Any]:
    latency, parity = sheet["latency"], sheet["parity"].get("seeded noise", {})
    return {
        "id": sheet["name"], "engine": sheet["engine"]["name"], "predicted_ms": latency["predicted"]["value"],
        "measured_ms": latency["measured"]["value"], "within_interval": latency["within_interval"],
        "parity_max_abs": parity.get("max_abs"), "top1": sheet["accuracy"]["top1"]["value"],
    }  # fmt: skip


def _table(sheets: dict[str, dict[str, Any]]) -> Table:
    """The chosen networks for people, narrow enough for 80 columns."""
    first = next(iter(sheets.values()))
    others = [name for name, f in first["objectives"].items() if f["how"].startswith("estimated")]
    measured = first["latency"]["measured"]
    caption = "test top-1: the engine itself; ms: this engine" + "".join(f"; {n}: estimated" for n in others)
    table = Table(title="Exported engines", caption=caption if measured["value"] else measured["how"])
    for column in ("id", "test top-1", "params", "MAdds", "predicted ms", "measured ms", *others):
        table.add_column(column, justify="right")
    for sheet in sheets.values():
        latency, top1, objectives = sheet["latency"], sheet["accuracy"]["top1"]["value"], sheet["objectives"]
        table.add_row(
            sheet["name"], "-" if top1 is None else f"{top1:.2f} %", short(objectives["params"]["value"]),
            short(objectives["madds"]["value"]), interval(latency["predicted"]), interval(latency["measured"]),
            *(f"{objectives[name]['value']:.3g}" for name in others),
        )  # fmt: skip
    return table


def short(value: float) -> str:
    """A count as 3.41 M or 39.4 k."""
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def interval(figure: dict[str, Any]) -> str:
    """A latency as "1.234 ± 0.012" (the wider side of its interval), or "-" where there is none."""
    value, low, high = (figure.get(k) for k in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "-" if value is None else f"{value:.3g}"
    return f"{value:.4g} ± {max(value - low, high - value):.2g}"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(export)
    app.command()(validate)
