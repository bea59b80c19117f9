"""`hwnas train supernet` and `hwnas train finetune`; both also under torchrun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from hwnas.cli.shared import emit, people, people_table
from hwnas.data.reference import resolve_reference
from hwnas.ofa.network_files import read_archs
from hwnas.settings import build, read_toml
from hwnas.space.configured import with_definition

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train; see the README.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the configuration.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Resume what was interrupted, keep what is done.")]


def supernet(config: ConfigFile, resume: Resume = False, settings: Settings = None) -> None:
    """Train a supernet by progressive shrinking; prints its file and validation accuracies as JSON."""
    from hwnas.train.config import SHRINKING, SupernetConfig
    from hwnas.train.distributed import is_rank_zero, single_error_report
    from hwnas.train.progressive_shrinking import train_supernet

    with single_error_report():
        data = read_toml(config, settings or [], {"phases": [asdict(phase) for phase in SHRINKING]})
        wanted = build(SupernetConfig, with_definition(data, config.parent), str(config))
        dataset = resolve_reference(wanted.dataset, config.parent)
        wanted = replace(wanted, dataset=dataset, out=config.parent / wanted.out)
        _, provenance = train_supernet(wanted, resume=resume)
        if is_rank_zero():
            training = provenance.training
            facts = {"history": training["history"], "left_out": training.get("left_out", 0)}  # damaged images
            emit({"supernet": str(wanted.out), "dataset": provenance.dataset, **facts})


def finetune(config: ConfigFile, resume: Resume = False, settings: Settings = None) -> None:
    """Fine-tune chosen networks, or train them from scratch; prints a line of JSON for each."""
    from hwnas.train.config import FinetuneConfig
    from hwnas.train.distributed import is_rank_zero, single_error_report
    from hwnas.train.finetune_networks import Finetuning

    with single_error_report():
        data = with_definition(read_toml(config, settings or []), config.parent)
        wanted = build(FinetuneConfig, data, str(config))
        folder, weights = config.parent, wanted.supernet and config.parent / wanted.supernet
        dataset = resolve_reference(wanted.dataset, folder)
        wanted = replace(
            wanted, dataset=dataset, archs=folder / wanted.archs, out=folder / wanted.out, supernet=weights
        )
        training, rows = Finetuning(wanted, resume=resume), []
        for facts in training.run(read_archs(training.space, wanted.archs)):
            rows.append(facts)
            if is_rank_zero():
                emit(facts)
    if is_rank_zero():
        failed = [row for row in rows if "error" in row]
        if done := [row for row in rows if "error" not in row]:
            people().print(_table(done))
            people().print(f"BatchNorm's recalibration moved val by {_moved(done)} points")
        for row in failed:
            people().print(f"{row['id']} failed: {row['error']}", markup=False)
        if failed:
            raise typer.Exit(1)


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    """Accuracies before and after, for people."""
    columns = ("id", "epochs", "seconds", "val before", "val", "test before", "test")
    table = people_table("Fine-tuned networks", columns, "top-1, %")
    for row in rows:
        values = (row[k] for k in ("val_top1_before", "val_top1", "test_top1_before", "test_top1"))
        texts = ("-" if value is None else f"{value:.2f}" for value in values)
        table.add_row(row["id"], str(row["epochs"]), f"{row['seconds']:.1f}", *texts)
    return table


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
