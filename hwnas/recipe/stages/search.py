"""The search: `hwnas search`, with the accuracy of the supernet's networks and the device's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwnas.accuracy import check_options, timeout
from hwnas.accuracy.protocol import network_seconds
from hwnas.accuracy.supernet import SupernetAccuracy
from hwnas.api.runs import Run
from hwnas.api.searching import search_config
from hwnas.recipe.choices import counts, views
from hwnas.recipe.configurations import stated, toml_text, write_once
from hwnas.recipe.digests import text_digest
from hwnas.recipe.stage import Stage
from hwnas.recipe.stages.supernet import about
from hwnas.recipe.work import TOP1, Work
from hwnas.search.config_files import parse
from hwnas.search.objectives import COUNTS
from profilers.errors import BadInput, nearest

CONFIG = "search.toml"
ARCHIVE = ("run.toml", "archive.sqlite")
MORE = ("archive.sqlite-wal", "archive.sqlite-shm", "start.json", "objectives.json", "weights")


class SearchStage(Stage):
    """Looks for networks of high accuracy and low cost; the out folder is its run."""

    name = "search"
    needs = ("table", "supernet")

    def settings(self, work: Work) -> dict[str, Any]:
        """What is searched, and for how long."""
        asked = work.settings.search
        chosen = {} if None not in (asked.initial, asked.iterations) else {"minutes": work.settings.minutes}
        said = {k: v for k, v in asdict(asked).items() if v is not None and k != "workers"}
        others = {k: str(v) for k, v in work.settings.tables.items()}
        return {
            **about(work), **chosen, **said, "objectives": list(work.objectives),
            "budget": dict(work.settings.budget), "tables": others,
        }  # fmt: skip

    def products(self, work: Work) -> Sequence[Path]:
        """The run."""
        return [work.out / name for name in ARCHIVE]

    def working(self, work: Work) -> Sequence[Path]:
        """Everything of the run but its tables, and its configuration."""
        return [path for name in (*ARCHIVE, *MORE, CONFIG) if (path := work.out / name).exists()]

    def made(self, work: Work) -> str:
        """Of what was evaluated, and how well."""
        if not self.done(work):
            return ""
        return text_digest(repr([(row.arch.id, row.objectives, row.error) for row in Run(work.out).evaluations]))

    def continues(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        """With more iterations alone."""
        rest = [{k: v for k, v in x.items() if k != "iterations"} for x in (before, now)]
        more = int(now.get("iterations") or 0) > int(before.get("iterations") or 0) > 0
        return rest[0] == rest[1] and more

    def checks(self) -> Sequence[Callable[[Work], None]]:
        """The names of budgets, the options of the accuracy, and all of the configuration."""
        return check_budget, check_evaluate, lambda work: check_all(work, self.values(work, 60.0))

    def values(self, work: Work, seconds: float) -> dict[str, Any]:
        """The configuration, with what the recipe leaves out chosen by the time."""
        asked = work.settings.search
        evaluate = {"dataset": work.spoken_images, "views": views(work.dataset.size("val")), **asked.evaluate}
        initial, iterations = counts(seconds / self.each(work, evaluate), asked.per_iteration)
        search = {
            "initial": asked.initial or initial, "per_iteration": asked.per_iteration,
            "iterations": iterations if asked.iterations is None else asked.iterations, "surrogate": asked.surrogate,
        }  # fmt: skip
        return {
            **work.spoken_space, "classes": work.space.classes,
            "accuracy": f"supernet:{work.relative(work.supernet)}", "objectives": list(work.objectives),
            "seed": work.settings.seed, "tables": {k: work.relative(v) for k, v in work.tables.items()},
            "budget": dict(work.settings.budget), "evaluate": evaluate, "search": search,
            "executor": {"workers": asked.workers},
        }  # fmt: skip

    def each(self, work: Work, evaluate: Mapping[str, Any]) -> float:
        """Seconds of an evaluation, estimated."""
        images = min(int(evaluate.get("images") or work.dataset.size("val")), work.dataset.size("val"))
        judged = images * (1 + int(evaluate["views"]))
        found = network_seconds(work.dataset, work.pace, int(evaluate.get("finetune_epochs", 0)), judged)
        return max(found / work.settings.search.workers, 1e-3)

    def run(self, work: Work, seconds: float) -> str:
        """Search, or go on."""
        config = write_once(work.out / CONFIG, lambda: toml_text(self.values(work, seconds)))
        asked = work.settings.search.iterations
        found = search_config(config, work.out, overrides=[] if asked is None else [f"search.iterations={asked}"])
        for line in found.remarks:
            work.say(line)
        figures = found.figures
        failed = f", {figures['failed']} failed" if figures["failed"] else ""
        return f"{figures['evaluations']} networks evaluated{failed}, {figures['front']} on the front"


def check_budget(work: Work) -> None:
    """BadInput for a limit of something that is not known."""
    known = (TOP1, *COUNTS, *work.tables)
    for name in work.settings.budget:
        if name not in known:
            raise BadInput(f"budget.{name} in the recipe", ", ".join(known), nearest(name, known))


def check_evaluate(work: Work) -> None:
    """BadInput for options that a supernet's accuracy does not take."""
    timeout.of(work.settings.search.evaluate)
    check_options("supernet", SupernetAccuracy, timeout.without(work.settings.search.evaluate))


def check_all(work: Work, values: Mapping[str, Any]) -> None:
    """BadInput for anything else in the configuration."""
    parse(stated(values), work.out, "[search]")
