"""`hwnas train supernet` and `hwnas train finetune`; both also under torchrun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import hwnas
from hwnas.api.display import table as people_table
from hwnas.cli.output import AsJson, emit, emit_for_programs, say, show
from hwnas.cli.shared import Fresh, Resume

ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG.toml", help="What to train; `hwnas init supernet` or `finetune` prints one.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the configuration.")
]


def supernet(
    config: ConfigFile,
    settings: Settings = None,
    fresh: Fresh = False,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Train a supernet by progressive shrinking; prints its file and validation accuracies as JSON.

    Training that was interrupted is continued by the same command.
    """
    from hwnas.train.distributed import is_rank_zero, single_error_report

    with single_error_report():
        found = hwnas.train_supernet(config, overrides=settings or [], fresh=fresh)
        if is_rank_zero():
            emit(found.to_json())


def finetune(
    config: ConfigFile,
    settings: Settings = None,
    fresh: Fresh = False,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune chosen networks, or train them from scratch; prints a line of JSON for each.

    If it was interrupted, the same command resumes and keeps what is done.
    """
    from hwnas.train.distributed import is_rank_zero, single_error_report

    rows = []
    with single_error_report():
        for facts in hwnas.finetune(config, overrides=settings or [], fresh=fresh):
            rows.append(facts)
            if is_rank_zero():
                emit_for_programs(facts)
    if is_rank_zero():
        failed = [row for row in rows if "error" in row]
        if done := [row for row in rows if "error" not in row]:
            show(_table(done))
            say(f"BatchNorm's recalibration moved val by {_moved(done)} points")
        for row in failed:
            say(f"{row['id']} failed: {row['error']}")
        if failed:
            raise typer.Exit(1)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    """Accuracies before and after, for people."""
    columns = ("id", "epochs", "seconds", "val before", "val", "test before", "test")
    table = people_table("Fine-tuned networks", columns, "top-1 in %, with 95 % intervals")
    for row in rows:
        texts = (_top1(row, k) for k in ("val_top1_before", "val_top1", "test_top1_before", "test_top1"))
        table.add_row(row["id"], str(row["epochs"]), f"{row['seconds']:.1f}", *texts)
    return table


def _top1(row: dict[str, Any], key: str) -> str:
    """An accuracy with its interval, which files of before, and those before training, have not."""
    if row[key] is None:
        return "-"
    ends = row.get(f"{key}_interval")
    return f"{row[key]:.2f}" + (f" ({ends[0]:.1f} to {ends[1]:.1f})" if ends else "")


def _moved(rows: Sequence[dict[str, Any]]) -> str:
    """Points of each network; files of before have none."""
    points = (row.get("recalibration") for row in rows)
    return ", ".join("unknown" if x is None else f"{x:+.2f}" for x in points)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    train = typer.Typer(help="Train supernets and networks.", no_args_is_help=True)
    train.command()(supernet)
    train.command()(finetune)
    app.add_typer(train, name="train")
