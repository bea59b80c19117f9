"""`hwnas search`, `hwnas archive`, `hwnas select`, `hwnas insights`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hwnas.cli.shared import emit, people, people_table, warn

if TYPE_CHECKING:
    from hwnas.search.archive import Evaluation
    from hwnas.search.run import Run
    from hwnas.select.guaranteed import Selection
    from hwnas.select.insights import Insight

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]


def search(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to search; see the README.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/CONFIG by default.")] = None,
    resume: Annotated[bool, typer.Option(help="Continue a run that was interrupted.")] = False,
    seed: Annotated[int | None, typer.Option(help="Replaces the seed of the configuration.")] = None,
    init_from: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Sample the initial networks like those on that run's front.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Evaluate in this many processes.")] = None,
    executor: Annotated[str | None, typer.Option(help="auto, serial, processes or ray.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the configuration.")
    ] = None,
) -> None:
    """Search networks: accuracy against the other objectives; prints the run's figures as JSON."""
    from hwnas.search import config as configs
    from hwnas.search import driver, executors
    from hwnas.search import run as runs

    overrides = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    overrides += [f"init_from={json.dumps(str(init_from.absolute()))}"] if init_from else []
    overrides += [f"executor.workers={workers}"] if workers is not None else []
    overrides += [f"executor.kind={json.dumps(executor)}"] if executor else []
    wanted = configs.load(config, overrides)
    open_run = runs.resume_run if resume else runs.create_run
    folder = out or Path("runs") / config.stem
    runs.check(folder, wanted)  # what does not fit is said before anything is written
    with (
        executors.start(wanted.source(folder), wanted.executor) as started,
        runs.locked(folder),
        open_run(folder, wanted) as run,
    ):
        notes = [f"{o.name}: {o.note}" for o in run.problem.objectives.values() if o.note]
        people().print("\n".join(notes), end="\n" if notes else "", markup=False, soft_wrap=True)
        warn(f"{name}: {line}" for name, table in run.tables.items() for line in table.remarks)
        ended = driver.search(run, started)
        emit(_figures(run) | {"ended_early": ended or None})
    if ended:
        people().print(ended, markup=False, soft_wrap=True)


def archive(
    run: RunFolder, kind: Annotated[str, typer.Option("--format", help="jsonl, csv or parquet.")] = "jsonl"
) -> None:
    """Print every evaluation of a run, in order."""
    from hwnas.search.archive_formats import export
    from hwnas.search.run import open_run

    with open_run(run) as opened:
        data = export(opened.archive.evaluations(), kind, opened.space)
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
) -> None:
    """Choose networks of the front within budgets; prints a line of JSON for each.

    The upper end of a network's latency interval must be within the budget. A network whose interval contains the
    budget is measured first if this is the device of the table.
    """
    from hwnas.search.run import open_run
    from hwnas.select.guaranteed import select_from_run
    from hwnas.select.parse import parse_budget, parse_preference

    with open_run(run) as opened:
        objectives = opened.problem.objectives
        limits = dict(parse_budget(text, objectives) for text in budget or [])
        wish = parse_preference(prefer, objectives) if prefer else None
        found = select_from_run(opened, budget=limits, prefer=wish, knee=knee, n=n, optimistic=optimistic)
    for choice in found.choices:
        emit(found.to_json(choice, opened.problem))
    people().print(_table(found, objectives))
    for note in found.notes:
        people().print(note, markup=False)


def insights(
    run: RunFolder, machine: Annotated[bool, typer.Option("--json", help="Everything, as JSON on stdout.")] = False
) -> None:
    """How often each kernel size, expand ratio, depth and resolution occurs on the run's fronts."""
    from hwnas.search.run import open_run
    from hwnas.select.insights import insights as find

    with open_run(run) as opened:
        found = find(opened.problem, opened.archive.evaluations())
        if machine:
            emit({"run": str(run), "space": opened.space.name, "fronts": [insight.to_json() for insight in found]})
    people().print(_shares(found))


def _shares(found: list[Insight]) -> Table:
    table = Table(title="Choices on the fronts, % of their layers, blocks and networks")
    for column in ("front", "networks", "kernel", "expand", "depth", "resolution"):
        table.add_column(column, justify="left" if column == "front" else "right")
    for insight in found:
        kinds = [insight.overall[kind] for kind in ("kernel", "expand", "depth", "resolution")]
        cells = [", ".join(f"{c}: {100 * share:.0f}" for c, share in kind.items() if share) or "-" for kind in kinds]
        table.add_row(", ".join(insight.objectives), str(insight.shares.networks), *cells)
    return table


def _figures(run: Run) -> dict[str, Any]:
    from hwnas.search.front import front

    rows, steps = run.archive.evaluations(), run.archive.iterations()
    return {
        "run": str(run.folder),
        "evaluations": len(rows),
        "failed": steps[-1]["failed"],
        "hypervolume": steps[-1]["hypervolume"],
        "front": len(front(run.problem, rows)),
        "top1": run.problem.objectives["top1"].obtained,
        "seconds_search": round(sum(s["seconds_search"] for s in steps), 2),
        "seconds_evaluate": round(sum(s["seconds_evaluate"] for s in steps), 2),
    }


def _table(found: Selection, objectives: Any) -> Table:
    caption = ", ".join(f"{o.name}: {o.obtained}" for o in objectives.values())
    if any(found.as_good(c.evaluation) and c.evaluation is not found.best for c in found.choices):
        caption += "; ~ not significantly worse than the best (95 %, by the number of images)"
    measured = [f"{name} measured" for name, by_id in found.measured.items() if by_id]
    names = (o.name if o.name.endswith("_ms") else f"{o.name} {o.unit}".strip() for o in objectives.values())
    table = people_table("Chosen networks", ("id", "why", *names, *measured), caption)
    for choice in found.choices:
        key = choice.evaluation.arch.id
        row = choice.evaluation
        here = [by_id.get(key) for by_id in found.measured.values() if by_id]
        table.add_row(
            key,
            choice.why,
            *(_value(found, row, name) for name in objectives),
            *("-" if m is None else f"{m.ms:.4g} ({m.low:.4g} to {m.high:.4g})" for m in here),
        )
    return table


def _value(found: Selection, row: Evaluation, name: str) -> str:
    value = float(row.objectives[name] or 0.0)
    if name != "top1":
        return f"{value:,.0f}" if value > 1e4 else f"{value:.3f}"
    ends = f" ({row.top1_interval[0]:.1f} to {row.top1_interval[1]:.1f})" if row.top1_interval else ""
    return f"{value:.2f}{ends}{' ~' if found.as_good(row) and row is not found.best else ''}"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (search, archive, select, insights):
        app.command()(command)
