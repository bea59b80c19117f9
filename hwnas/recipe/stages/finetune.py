"""The final training of what was chosen, and of known networks: `hwnas train finetune`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from hwnas.api.training import finetune
from hwnas.nets.known import make_known
from hwnas.ofa.network_files import read_archs
from hwnas.recipe.configurations import stated, toml_text, write_once
from hwnas.recipe.records import trained
from hwnas.recipe.stage import Stage
from hwnas.recipe.stages import select
from hwnas.recipe.stages.supernet import about
from hwnas.recipe.work import Work
from hwnas.settings import build
from hwnas.space import Architecture
from hwnas.train.config import FinetuneConfig
from hwnas.train.defaults import finetune_defaults
from hwnas.train.pace import networks_seconds, own_networks
from profilers.errors import MeasurementFailed
from profilers.files import write_text

CONFIG, FOLDER, FACTS = "finetune.toml", "networks", "networks.jsonl"


class FinetuneStage(Stage):
    """Trains the chosen networks, each on its own."""

    name = "finetune"
    needs = ("supernet", "select")
    follows = ("select",)  # networks that are chosen still are kept

    def settings(self, work: Work) -> dict[str, Any]:
        """The images, and how it is trained."""
        said = {k: v for k, v in stated(asdict(work.settings.finetune)).items() if k != "threads"}
        chosen = {} if {"epochs", "steps"} & said.keys() else {"minutes": work.settings.minutes}
        return {**about(work), **chosen, **said, "models": list(work.settings.compare.models)}

    def products(self, work: Work) -> Sequence[Path]:
        """Folder of the networks' files, and what is known of each."""
        return [work.out / FOLDER, work.out / FACTS]

    def working(self, work: Work) -> Sequence[Path]:
        """With the configuration."""
        return [*self.products(work), work.out / CONFIG]

    def checks(self) -> Sequence[Callable[[Work], None]]:
        """The keys, and the names of known networks."""
        return (lambda work: check_all(self.values(work, 60.0)),)

    def values(self, work: Work, seconds: float) -> dict[str, Any]:
        """The configuration, with what the recipe leaves out chosen by the time."""
        models, images, archs = list(work.settings.compare.models), work.dataset.size("train"), chosen(work)
        each = seconds / (max(len(archs), 1) + len(models))
        pace = (lambda batch: self.pace(work, archs, batch)) if archs else None
        usual: dict[str, Any] = finetune_defaults(
            work.space, images, initialised=True, seconds=each, balance=work.balance, pace=pace
        )
        said = stated(asdict(work.settings.finetune))
        if {"epochs", "steps"} & said.keys():
            usual = {k: v for k, v in usual.items() if k not in ("epochs", "steps", "patience")}
        own = {
            "dataset": work.spoken_images, "archs": select.FILE, "out": FOLDER, "seed": work.settings.seed,
            "supernet": work.relative(work.supernet), "models": models,
        }  # fmt: skip
        return {**work.spoken_space, **usual, **own, **said}

    def pace(self, work: Work, archs: Sequence[Architecture], batch: int) -> float:
        """Seconds of a step, in the mean over what is trained: the chosen networks and the known ones."""
        size, classes = max(arch.r for arch in archs), work.dataset.classes
        known = ((make_known(name.partition("=")[0], classes), 3, size) for name in work.settings.compare.models)
        threads = work.settings.finetune.threads
        return networks_seconds(chain(own_networks(work.space, archs), known), batch, threads)

    def run(self, work: Work, seconds: float) -> str:
        """Train them, or go on; one that diverges does not stop the others."""
        config = write_once(work.out / CONFIG, lambda: toml_text(self.values(work, seconds)))
        rows = list(finetune(config, resume=True))
        done = [row for row in rows if "error" not in row]
        for row in rows:
            if "error" in row:
                work.say(f"{row['id']} failed: {row['error']}")
        if not done:
            raise MeasurementFailed("no network could be trained", remedy="a smaller finetune.lr in the recipe")
        write_text(work.out / FACTS, "".join(json.dumps(row) + "\n" for row in done))
        return ", ".join(f"{row['id']} val {row['val_top1_before']:.1f} to {row['val_top1']:.1f} %" for row in done)


def chosen(work: Work) -> list[Architecture]:
    """The networks that were chosen; none before that."""
    file = work.out / select.FILE
    return read_archs(work.space, file) if file.is_file() else []


def facts(work: Work) -> list[dict[str, Any]]:
    """What is known of each network that was trained."""
    return trained(work.out / FACTS)


def check_all(values: dict[str, Any]) -> None:
    """BadInput for anything in the configuration that does not fit."""
    build(FinetuneConfig, values, "[finetune]")
