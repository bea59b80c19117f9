"""`hwnas.run_recipe`: the whole way, checked first, resumable at any moment."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.api.display import Facts
from hwnas.api.where import Where, host_of
from hwnas.recipe import shipping
from hwnas.recipe.checks import check
from hwnas.recipe.expected import duration
from hwnas.recipe.order import NAMES, between
from hwnas.recipe.runner import Runner, seconds_by_stage
from hwnas.recipe.settings import load
from hwnas.recipe.work import Say, Work
from hwnas.train.guessing import guessing
from profilers.interruption import leaving
from profilers.locks import alone
from profilers.printable import printable


def run_recipe(
    recipe: Path | str = "recipe.toml",
    *,
    until: str | None = None,
    start: str | None = None,
    fresh: bool = False,
    dry_run: bool = False,
    overrides: Sequence[str] = (),
    device: Where = "",
    say: Say | None = None,
) -> Facts:
    r"""Carry out a recipe: table, supernet, search, select, finetune, export, validate, compare, report.

    What is there and fits is kept, what is unfinished goes on, and what a changed key or file no longer fits is made
    anew, with a line that says why; what was there is then in `replaced` of the out folder.

    Args:
        recipe: TOML, as `hwnas.init` writes it.
        until: the last stage that is run.
        start: the first one; what earlier ones should have made is there already.
        fresh: make all of these stages anew.
        dry_run: only check everything, and say what would be done.
        overrides: as in "minutes=5".
        device: in place of the recipe's, on which tables, engines and all else is measured: a `Device`, or a machine
            alone, as in "ssh://me@board". Training is here.
        say: called with each line for people; by default they go to stderr.

    Returns:
        Where report and engines lie, seconds by stage, and once all is validated: ship, the id of the engine to ship,
        engines (each with accuracy, latency and whether it keeps the budget) and known (networks beside them).

    Raises:
        BadInput: all that does not fit, at once, before anything is begun; or no network keeps the budget.

    Example:
        >>> from pathlib import Path
        >>> import hwnas
        >>> _ = Path("recipe.toml").write_text(
        ...     'images = "digits"\nspace = "tiny"\nresolutions = [12]\nminutes = 0.5\n')
        >>> found = hwnas.run_recipe(dry_run=True, say=lambda line: None)
        >>> list(found["expected"])[:3]
        ['table', 'supernet', 'search']
    """
    path = Path(recipe)
    work = Work(load(path, [*overrides, *spoken(device)]), path.absolute().parent, say or to_stderr)
    stages = between(start, until)
    work.say(f"checking {path}: images, space, device, weights, disk, memory, and what each stage is told")
    check(work).raise_if_any()
    runner = Runner(work)
    if dry_run:
        return foreseen(runner)
    with leaving(partial(kept_in, work)), alone(work.out, "is carrying out a recipe in", "another out"), work.rooted():
        runner.run(stages, fresh=fresh)
        return told(work, runner, NAMES.index(stages[-1].name) >= NAMES.index("validate"))


def kept_in(work: Work) -> str:
    """What an interruption leaves, "" for nothing."""
    return f"what is finished and begun is kept in {work.settings.out}" if work.out.exists() else ""


def spoken(device: Where) -> list[str]:
    """A device as overrides of section [device]."""
    host = host_of(device)
    if isinstance(device, str):
        return [f"device.host={json.dumps(host)}"] if host else []
    names = ("engine", "threads", "precision", "batch", "host")
    return [f"device.{name}={json.dumps(getattr(device, name))}" for name in names]


def foreseen(runner: Runner) -> Facts:
    """What would be done, and how long it may take."""
    work = runner.work
    for stage in between(None, None):
        seconds, reason = runner.seconds[stage.name], stage.given(work)
        runner.say(stage, reason or runner.state(stage) or f"to do, about {duration(seconds)} (estimated)")
    work.say(f"everything fits; about {duration(sum(runner.seconds.values()))} in all (estimated)")
    return Facts("Recipe", {"out": str(work.out), "expected": {k: round(v, 1) for k, v in runner.seconds.items()}})


def told(work: Work, runner: Runner, whole: bool) -> Facts:
    """What came of it, said and returned; what to ship where the `whole` way to validation was gone."""
    values: dict[str, Any] = {"out": str(work.out), "seconds": seconds_by_stage(runner.journal.entries)}
    if not whole:
        return Facts("Recipe", values)
    found, others = shipping.candidates(work), shipping.known(work)
    for line in [*shipping.lines(found, others), *doubts(work, found[0])]:
        work.say(line)
    shipped = {"ship": found[0].id, "engine": found[0].folder, "budget": found[0].budget, "top1": found[0].top1}
    more = {"engines": [one.to_json() for one in found], "known": others}
    return Facts("Recipe", {**values, **shipped, **more})


def doubts(work: Work, first: shipping.Candidate) -> list[str]:
    """What must be known before the engine is shipped, a line each."""
    if first.top1 is None or not first.split:
        return ["its accuracy is not known"]
    labels = np.asarray(work.dataset.labels(first.split).numpy(), np.int64)
    chance = 100 * float(np.bincount(labels).max()) / len(labels)
    told = f"do not ship it: that is no better than guessing, which is right for {chance:.1f} % of these images"
    return [f"{told}; more minutes, or [supernet] init with trained weights"] if guessing(first.top1, labels) else []


def to_stderr(line: str) -> None:
    """A line for people."""
    print(printable(line), file=sys.stderr, flush=True)
