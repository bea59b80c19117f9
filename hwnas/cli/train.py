"""`hwnas train supernet` and `hwnas train finetune`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.shared import emit, read_archs
from hwnas.settings import build, read_toml

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="What to train; see the README.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key.")]


def supernet(
    config: ConfigFile,
    resume: Annotated[bool, typer.Option(help="Continue a training that was interrupted.")] = False,
    settings: Settings = None,
) -> None:
    """Train a supernet by progressive shrinking; JSON of its file and its validation accuracies."""
    from hwnas.train.config import SHRINKING, SupernetConfig
    from hwnas.train.shrink import train_supernet

    data = read_toml(config, settings or [], {"phases": [asdict(phase) for phase in SHRINKING]})
    wanted = build(SupernetConfig, data, str(config))
    wanted = replace(wanted, out=config.parent / wanted.out)
    _, provenance = train_supernet(wanted, resume=resume)
    emit({"supernet": str(wanted.out), "dataset": provenance.dataset, "history": provenance.training["history"]})


def finetune(config: ConfigFile, settings: Settings = None) -> None:
    """Train chosen networks on, or from random weights; JSONL of their files and accuracies."""
    from hwnas.train.config import FinetuneConfig
    from hwnas.train.finetune import Finetuning

    wanted = build(FinetuneConfig, read_toml(config, settings or []), str(config))
    folder, weights = config.parent, wanted.supernet and config.parent / wanted.supernet
    wanted = replace(wanted, archs=folder / wanted.archs, out=folder / wanted.out, supernet=weights)
    training = Finetuning(wanted)
    for facts in training.run(read_archs(training.space, wanted.archs)):
        emit(facts)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    train = typer.Typer(help="Train supernets and networks.", no_args_is_help=True)
    train.command()(supernet)
    train.command()(finetune)
    app.add_typer(train, name="train")
