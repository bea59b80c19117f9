"""The supernet of the images: `hwnas train supernet`, from random weights or from others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwnas.api.training import train_supernet
from hwnas.ofa.facts import SUPERNET, checkpoint_facts
from hwnas.recipe.configurations import stated, toml_text, write_once
from hwnas.recipe.digests import file_digest
from hwnas.recipe.stage import Stage
from hwnas.recipe.work import Work
from hwnas.settings import build
from hwnas.train.config import SupernetConfig
from hwnas.train.defaults import supernet_defaults
from profilers.errors import BadInput, FileProblem

CONFIG = "supernet.toml"


class SupernetStage(Stage):
    """Trains weights that all networks inherit."""

    name = "supernet"

    def settings(self, work: Work) -> dict[str, Any]:
        """The space, the images, the weights it starts from, and how it is trained."""
        asked = work.settings.supernet
        said = {k: v for k, v in asdict(asked).items() if k in ("phases", "recipe") and v is not None}
        chosen = said or {"minutes": work.settings.minutes}
        init = file_digest(work.init) if work.init else ""
        return {**about(work), **chosen, "init": init}

    def products(self, work: Work) -> Sequence[Path]:
        """The supernet's file."""
        return [work.supernet]

    def working(self, work: Work) -> Sequence[Path]:
        """With the state of an unfinished training, and its configuration."""
        return [*sorted(work.out.glob(f"{work.supernet.name}*")), work.out / CONFIG]

    def given(self, work: Work) -> str:
        """The recipe's own file."""
        return f"{work.supernet} is given" if work.settings.supernet.file else ""

    def checks(self) -> Sequence[Callable[[Work], None]]:
        """Weights that are given fit the space, and what is said of the training is allowed."""
        return check_weights, lambda work: check_all({} if self.given(work) else self.values(work, 60.0))

    def values(self, work: Work, seconds: float) -> dict[str, Any]:
        """The configuration, with what the recipe leaves out chosen by the time."""
        asked = {k: v for k, v in stated(asdict(work.settings.supernet)).items() if k != "file"}
        usual = supernet_defaults(
            work.space,
            work.dataset.size("train"),
            initialised=bool(work.init),
            seconds=seconds,
            balance=work.balance,
            threads=work.settings.supernet.threads,
        )
        if work.init:
            asked["init"] = work.relative(work.init)
        own = {"dataset": work.spoken_images, "out": work.supernet.name, "seed": work.settings.seed}
        return {**work.spoken_space, **usual, **own, **asked}

    def run(self, work: Work, seconds: float) -> str:
        """Train it, or go on."""
        config = write_once(work.out / CONFIG, lambda: toml_text(self.values(work, seconds)))
        found = train_supernet(config, resume=True)
        last = found["history"][-1] if found["history"] else {}
        return f"val top-1 {last['smallest']:.1f} to {last['largest']:.1f} %" if last else ""


def about(work: Work) -> dict[str, Any]:
    """The space and the images that weights depend on."""
    space = {"space": work.space.signature, "resolutions": list(work.space.resolutions)}
    images = {"images": work.images_digest or work.settings.images, "classes": list(work.dataset.class_names)}
    return {**space, **images, "seed": work.settings.seed}


def check_weights(work: Work) -> None:
    """BadInput or FileProblem for files that are no supernets of the space, or of other classes to be used as is."""
    for key, path in (("init", work.init), ("file", work.supernet if work.settings.supernet.file else None)):
        if path is None:
            continue
        if not path.is_file():
            raise FileProblem(f"supernet.{key}: {path} is not there", remedy="check the path in the recipe")
        facts = checkpoint_facts(path)
        if facts.kind != SUPERNET or facts.space.signature != work.space.signature:
            got = f"supernet.{key} is a {facts.kind} of space {facts.space.name} ({facts.space.signature})"
            raise BadInput(got, f"a supernet of {work.space.name} ({work.space.signature})")
        tuned = work.settings.search.evaluate.get("finetune_epochs")
        if key == "file" and facts.classes != work.space.classes and not tuned:
            got = f"supernet.file of {facts.classes} classes for images of {work.space.classes}"
            raise BadInput(got, "as many", f'init = "{work.settings.supernet.file}" in [supernet], to train it on them')


def check_all(values: dict[str, Any]) -> None:
    """BadInput for anything else in the configuration; nothing to check where there is none."""
    if values:
        build(SupernetConfig, stated(values), "[supernet]")
