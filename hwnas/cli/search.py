"""`hwnas search`, `hwnas archive`, `hwnas select`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hwnas.cli.shared import emit, people

if TYPE_CHECKING:
    from hwnas.search.run import Run

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]


def search(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to search; see the README.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/CONFIG by default.")] = None,
    resume: Annotated[bool, typer.Option(help="Continue a run that was interrupted.")] = False,
    seed: Annotated[int | None, typer.Option(help="Instead of the configuration's.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")] = None,
) -> None:
    """Search networks: accuracy against the other objectives; JSON of the run's figures."""
    from hwnas.accuracy import open_accuracy
    from hwnas.search import config as configs
    from hwnas.search import driver
    from hwnas.search import run as runs

    overrides = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    wanted = configs.load(config, overrides)
    folder = out or Path("runs") / config.stem
    runs.make_problem(wanted)  # what does not fit is said before anything is written
    accuracy = open_accuracy(wanted.accuracy, wanted.make_space(), wanted.evaluate)
    with runs.locked(folder), (runs.resume_run if resume else runs.create_run)(folder, wanted) as run:
        driver.search(run, accuracy)
        emit(_figures(run))


def archive(
    run: RunFolder, kind: Annotated[str, typer.Option("--format", help="jsonl, csv or parquet.")] = "jsonl"
) -> None:
    """Every evaluation of a run, in order."""
    from hwnas.search.export import export
    from hwnas.search.run import open_run

    with open_run(run) as opened:
        data = export(opened.archive.evaluations(), kind)
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def select(
    run: RunFolder,
    budget: Annotated[list[str] | None, typer.Option(help='As in "cpu_ms<=10"; may be given again.')] = None,
    prefer: Annotated[str | None, typer.Option(help='Wished values, as in "top1=80,madds=150".')] = None,
    knee: Annotated[bool, typer.Option(help="The networks that are cheapest in all objectives together.")] = False,
    n: Annotated[int, typer.Option("-n", help="How many networks.")] = 4,
) -> None:
    """Networks of the front within budgets; JSONL, each with how its values were obtained."""
    from hwnas.search import select as selection
    from hwnas.search.run import open_run

    with open_run(run) as opened:
        objectives = opened.problem.objectives
        limits = dict(selection.parse_budget(text, objectives) for text in budget or [])
        wish = selection.parse_preference(prefer, objectives) if prefer else None
        rows = opened.archive.evaluations()
        chosen = selection.select(opened.problem, rows, budget=limits, prefer=wish, knee=knee, n=n)
    for choice in chosen:
        emit(choice.to_json(objectives))
    people().print(_table(chosen, objectives))


def _figures(run: Run) -> dict[str, Any]:
    from hwnas.search.select import front

    rows, steps = run.archive.evaluations(), run.archive.iterations()
    return {
        "run": str(run.folder), "evaluations": len(rows), "failed": steps[-1]["failed"],
        "hypervolume": steps[-1]["hypervolume"], "front": len(front(run.problem, rows)),
        "seconds_search": round(sum(s["seconds_search"] for s in steps), 2),
        "seconds_evaluate": round(sum(s["seconds_evaluate"] for s in steps), 2),
    }  # fmt: skip


def _table(chosen: list[Any], objectives: Any) -> Table:
    table = Table(title="Chosen networks", caption=", ".join(f"{o.name}: {o.status}" for o in objectives.values()))
    for column in ("id", "why", *(f"{o.name} {o.unit}".strip() for o in objectives.values())):
        table.add_column(column, justify="right")
    for choice in chosen:
        values = (choice.evaluation.objectives[name] for name in objectives)
        table.add_row(choice.evaluation.arch.id, choice.why, *(f"{v:,.0f}" if v > 1e4 else f"{v:.3f}" for v in values))
    return table


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (search, archive, select):
        app.command()(command)
