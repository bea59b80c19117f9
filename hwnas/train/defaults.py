"""What suits a data set of so many images: schedules in steps, learning rates, batch and precision.

Few images make an epoch a handful of steps, so lengths are steps: at least what a network needs to learn anything, and
more for more images. Where the time is limited, steps are what was timed to fit into it (`hwnas.train.pace`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hwnas.space import SearchSpace
from hwnas.train.pace import phases_seconds, step_seconds

FEW = 640  # images below which batches are halved: twenty updates a pass
LEAST, MOST = 800, 100_000  # steps of a supernet from random weights
SMALL, MANY = 5000, 20  # images up to which, and passes from which, a training is stopped early
_LIKE = 1000  # steps, of which phases are made to see what a step of them takes
UNBALANCED = 3.0  # the largest class beside the smallest


class Defaults(dict[str, Any]):
    """Keys as in a TOML file; `reasons` says why, by dotted key."""

    def __init__(self, values: dict[str, Any], reasons: dict[str, str]) -> None:
        super().__init__(values)
        self.reasons = reasons


def supernet_defaults(
    space: SearchSpace,
    images: int,
    *,
    initialised: bool,
    seconds: float | None = None,
    balance: float | None = None,
    threads: int = 1,
) -> Defaults:
    """Keys `phases` and `recipe` of a `SupernetConfig`.

    Args:
        space: what is trained.
        images: of the training split.
        initialised: whether weights are begun with (`init`).
        seconds: that it may take here; a few steps are timed for it.
        balance: images of the largest class for each of the smallest.
        threads: that it computes with.
    """
    recipe, reasons = _recipe(images, balance)
    batch = recipe["batch"]
    passes, least = (10, LEAST // 2) if initialised else (60, LEAST)

    def phases_of(steps: int) -> list[dict[str, Any]]:
        return _begun(steps, batch) if initialised else _shrinking(space, steps, batch)

    pace = 0.0 if seconds is None else phases_seconds(space, batch, phases_of(_LIKE), threads)
    steps, why = _steps(images, batch, passes, least, seconds, pace)
    phases = phases_of(steps)
    reasons["phases"] = f"{sum(phase['steps'] for phase in phases)} steps in all, {why}"
    return Defaults({"phases": phases, "recipe": recipe}, reasons)


def finetune_defaults(
    space: SearchSpace,
    images: int,
    *,
    initialised: bool,
    seconds: float | None = None,
    balance: float | None = None,
    pace: Callable[[int], float] | None = None,
) -> Defaults:
    """Keys `steps`, `lr`, `recipe`, `regularise` and `patience` of a `FinetuneConfig`.

    Args:
        space: of the networks.
        images: of the training split.
        initialised: whether weights are begun with.
        seconds: that one network may take here, in the mean.
        balance: images of the largest class for each of the smallest.
        pace: seconds a step of the networks takes, in the mean, for so many images; by default those of the largest.
    """
    recipe, reasons = _recipe(images, balance)
    passes, least = (30, LEAST // 4) if initialised else (60, LEAST // 2)
    step = 0.0 if seconds is None else (pace or partial(step_seconds, space))(recipe["batch"])
    steps, reasons["steps"] = _steps(images, recipe["batch"], passes, least, seconds, step)
    lr = (0.03 if initialised else 0.1) * recipe["batch"] / 64
    reasons["lr"] = "small, for weights that are trained" if initialised else "for random weights"
    ema = 0.99 if steps < 5000 else 0.999
    reasons["regularise.ema"] = "the average of the last steps' weights is steadier than the last"
    values = {"steps": steps, "lr": lr, "recipe": recipe, "regularise": {"ema": ema}}
    count = steps * recipe["batch"] // images
    if images <= SMALL and count >= MANY and steps == _wanted(images, recipe["batch"], passes, least):
        values["patience"] = count // 3
        reasons["patience"] = f"{count} passes over few images may be more than they need"
    return Defaults(values, reasons)


def _recipe(images: int, balance: float | None) -> tuple[dict[str, Any], dict[str, str]]:
    batch = max(2, min(32 if images < FEW else 64, images))
    recipe: dict[str, Any] = {"batch": batch, "precision": _precision()}
    reasons = {
        "recipe.batch": f"{images} training images",
        "recipe.precision": "fastest on this GPU" if recipe["precision"] != "fp32" else "no GPU that gains from less",
    }
    if balance is not None and balance > UNBALANCED:
        recipe["class_weights"] = True
        reasons["recipe.class_weights"] = f"the largest class has {balance:.3g} times the images of the smallest"
    return recipe, reasons


def _precision() -> str:
    import torch

    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"


def _steps(images: int, batch: int, passes: int, least: int, seconds: float | None, pace: float) -> tuple[int, str]:
    """How many, of `pace` seconds each, and why."""
    wanted = _wanted(images, batch, passes, least)
    why = f"{wanted * batch / images:.3g} passes over {images} images"
    if seconds is None:
        return wanted, why
    possible = max(int(seconds / pace), 1)
    if possible >= wanted:
        return wanted, f"{why}, estimated {wanted * pace:.0f} s"
    short = ", fewer than such networks usually need" if possible < least else ""
    return possible, f"as many as {seconds:.0f} s allow (estimated){short}"


def _wanted(images: int, batch: int, passes: int, least: int) -> int:
    return min(max(passes * images // batch, least), MOST)


def _shrinking(space: SearchSpace, steps: int, batch: int) -> list[dict[str, Any]]:
    """The largest network, then ever more choices: kernels, depths and widths."""
    lr, all_ = 0.1 * batch / 64, {"resolutions": 0}
    allowed: dict[str, int] = {}
    phases = [{"name": "largest", "steps": max(1, round(0.3 * steps)), "lr": 2 * lr, **all_}]
    elastic = [name for name in ("kernels", "depths", "expands") if len(getattr(space, name)) > 1]
    for name in elastic:
        allowed = {**allowed, name: 0}
        share = 0.56 if name == elastic[-1] else 0.07
        length = max(1, round(share * steps))
        phases.append({"name": name, "steps": length, "lr": 1.5 * lr, "networks": 2, **all_, **allowed})
    return phases


def _begun(steps: int, batch: int) -> list[dict[str, Any]]:
    """A new classifier, then the largest network, which teaches the others, then all of them."""
    every: dict[str, Any] = dict.fromkeys(("resolutions", "kernels", "depths", "expands"), 0)
    lr = 0.03 * batch / 64
    shares: Sequence[tuple[float, dict[str, Any]]] = (
        (0.25, {"name": "head", "head": True, "lr": 0.1 * batch / 64, **every}),
        (0.25, {"name": "largest", "lr": lr, "resolutions": 0}),
        (0.5, {"name": "all", "lr": lr, "networks": 2, "sandwich": False, **every}),
    )
    return [{**phase, "steps": max(1, round(share * steps))} for share, phase in shares]
