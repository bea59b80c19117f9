"""`hwnas search`, `hwnas archive`, `hwnas select`, `hwnas insights`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

import hwnas
from hwnas.cli.output import AsJson, at_terminal, emit, emit_for_programs, force, say, show
from hwnas.cli.shared import Fresh, Resume, Where
from profilers.prints import to_stderr

if TYPE_CHECKING:
    from hwnas.select.insights import Insight

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]


def search(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="What to search; `hwnas init search` prints one.")
    ],
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/CONFIG by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Replaces the seed of the configuration.")] = None,
    init_from: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Sample the initial networks like those on that run's front.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Evaluate in this many processes.")] = None,
    executor: Annotated[str | None, typer.Option(help="auto, serial, processes or ray.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the configuration.")
    ] = None,
    fresh: Fresh = False,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Search networks: accuracy against the other objectives; prints the run's figures as JSON.

    A run that was interrupted is continued by the same command.
    """
    from hwnas.api.configured import OUT
    from hwnas.api.searching import run_config
    from hwnas.search import checks

    overrides = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    overrides += [f"init_from={json.dumps(str(init_from.absolute()))}"] if init_from else []
    overrides += [f"executor.workers={workers}"] if workers is not None else []
    overrides += [f"executor.kind={json.dumps(executor)}"] if executor else []
    folder = out or OUT / config.stem
    with to_stderr():
        found = run_config(checks.load(config, overrides, folder, fresh=fresh), folder, fresh=fresh, say=say)
    emit(found.figures | {"ended_early": found.ended_early or None})
    for line in found.remarks:
        say(line)


def archive(
    run: RunFolder,
    kind: Annotated[str | None, typer.Option("--format", help="jsonl (the default), csv or parquet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print every evaluation of a run, in order."""
    if kind is None and at_terminal():
        for row in hwnas.Run(run).rows():
            emit({key: row[key] for key in ("id", "iteration", "status")} | row["objectives"])
        return
    data = hwnas.Run(run).archive(kind or "jsonl")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def select(
    run: RunFolder,
    budget: Annotated[list[str] | None, typer.Option(help='As in "cpu_ms<=10"; may be given again.')] = None,
    prefer: Annotated[str | None, typer.Option(help='Preferred values, as in "top1=80,madds=150".')] = None,
    knee: Annotated[bool, typer.Option(help="Knee points: best in the sum of all normalised objectives.")] = False,
    n: Annotated[int, typer.Option("-n", help="How many networks.")] = 4,
    optimistic: Annotated[
        bool, typer.Option(help="Judge latency budgets by the point prediction, not by its interval.")
    ] = False,
    where: Where = "",
    as_json: AsJson = False,
) -> None:
    """Choose networks of the front within budgets; prints a line of JSON for each.

    The upper end of a network's latency interval must be within the budget. A network whose interval contains the
    budget is measured first if this, or --device, is the device of the table.
    """
    found = hwnas.Run(run).select(
        *(budget or []), n=n, prefer=prefer, knee=knee, optimistic=optimistic, device=where
    )  # fmt: skip
    for row in found.rows:
        emit_for_programs(row)
    show(found)
    for note in found.notes:
        say(note)


def insights(
    run: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", callback=force, help="Everything, as JSON on stdout.")] = False,
) -> None:
    """Count how often each kernel size, expand ratio, depth, resolution and other choice occurs on the run's fronts."""
    opened = hwnas.Run(run)
    found = opened.insights()
    if as_json:
        emit({"run": str(run), "space": opened.space.name, "fronts": [insight.to_json() for insight in found]})
    show(_shares(found))


def _shares(found: list[Insight]) -> Table:
    table = Table(title="Choices on the fronts, % of their layers, blocks and networks")
    for column in ("front", "networks", *found[0].overall):
        table.add_column(column, justify="left" if column == "front" else "right")
    for insight in found:
        kinds = insight.overall.values()
        cells = [", ".join(f"{c}: {100 * share:.0f}" for c, share in kind.items() if share) or "-" for kind in kinds]
        table.add_row(", ".join(insight.objectives), str(insight.shares.networks), *cells)
    return table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (search, archive, select, insights):
        app.command()(command)
