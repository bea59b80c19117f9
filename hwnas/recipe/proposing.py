"""`hwnas.init`: looks at images, machine and weights, and writes a recipe that fits them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from hwnas.accuracy.protocol import Pace, Protocol, choose, timed
from hwnas.api.devices import Device
from hwnas.api.display import Facts
from hwnas.api.where import Where, host_of, settings_of
from hwnas.data import DATASETS, Dataset, get_dataset
from hwnas.data.reference import parse_reference
from hwnas.data.survey import Survey, survey
from hwnas.export.engines import ENGINES, PLAIN
from hwnas.ofa.facts import CheckpointFacts, checkpoint_facts
from hwnas.recipe import proposal
from hwnas.recipe.checks import available_memory
from hwnas.recipe.expected import SHARES, duration, expected
from hwnas.recipe.proposal import Proposal
from hwnas.recipe.settings import RecipeSettings
from hwnas.recipe.work import Work
from hwnas.settings import build
from hwnas.space import SearchSpace, get_space
from hwnas.templates.writer import commented_toml
from profilers.errors import BadInput
from profilers.files import write_text

FILE = "recipe.toml"
EVALUATIONS = 100  # of a search, for which the way of evaluation is chosen
KNOWN = "mobilenet_v3_small"  # of torchvision: small, well known, and trained within the time of a network of ours


def init(
    images: Path | str,
    folder: Path | str = ".",
    *,
    space: str | None = None,
    supernet: Path | str | None = None,
    engine: str | None = None,
    threads: int | None = None,
    device: Where = "",
    budget: float | None = None,
    minutes: float | None = None,
    fresh: bool = False,
) -> Facts:
    """Look at images, machine and weights, and write a commented recipe for `hwnas run`.

    Args:
        images: a folder of them, or a data set, as in "cifar10:DIR".
        folder: where `recipe.toml` is written.
        space: by default one that fits images and weights.
        supernet: weights to start from: of `hwnas train supernet`, or once-for-all's.
        engine: of the device, a runtime of `hwnas.engines()`; by default the one of `device`, or "onnxruntime".
        threads: of the runtime.
        device: what the recipe is for: a `Device`, or a machine, as in "ssh://me@board"; by default this one. The
            recipe keeps it.
        budget: the most that a network may take on the device, ms; by default half-way between the smallest and the
            largest network, as measured.
        minutes: how long all may take; by default as the images need.
        fresh: replace a recipe that is there.

    Returns:
        recipe (its file), classes, images, space, resolutions, budget, minutes, and the expected seconds by stage.

    Raises:
        BadInput: no images that can be used, weights that do not fit, a recipe that is there.

    Example:
        >>> import hwnas
        >>> hwnas.init("digits", space="tiny", engine="fake", minutes=1)["classes"]
        10
    """
    path = Path(folder) / FILE
    if path.exists() and not fresh:
        raise BadInput(f"{path} is there already", "a folder without a recipe", "--fresh, to replace it")
    look = Look(reference_of(images, Path(folder)), Path(folder), space, None if supernet is None else Path(supernet))
    asked = settings_of(device, engine, None, None, threads)
    batch = int(asked.batch or 1)
    target = Device(asked.engine, asked.threads, asked.precision or "fp32", batch, host=host_of(device))
    found = propose(look, target, budget, minutes)
    settings = build(RecipeSettings, found.values, str(path))
    seconds = expected(Work(settings, path.absolute().parent))
    write_text(path, text(found, seconds))
    facts = {"recipe": str(path), "classes": look.classes, "images": look.images, **found.values}
    return Facts("Recipe", {**facts, "expected": seconds}, [*found.lines, *ending(path, seconds)])


@dataclass(frozen=True, eq=False)
class Look:
    """What is there: the images by their reference relative to the recipe's folder, and weights."""

    reference: str
    folder: Path
    asked_space: str | None
    supernet: Path | None

    @cached_property
    def survey(self) -> Survey:
        """Of the images."""
        return survey(absolute(self.reference, self.folder))

    @cached_property
    def facts(self) -> CheckpointFacts | None:
        """Of the weights."""
        return None if self.supernet is None else checkpoint_facts(self.supernet)

    @property
    def is_ready(self) -> bool:
        """Whether the weights were trained on these images."""
        return self.facts is not None and self.facts.dataset == absolute(self.reference, self.folder)

    @property
    def classes(self) -> int:
        """How many."""
        return len(self.survey.classes)

    @property
    def images(self) -> int:
        """For training."""
        return self.survey.splits.get("train", 0)

    @property
    def pixels(self) -> int | None:
        """Of the median image's shorter side; None where it is not known."""
        sizes = self.survey.sizes
        return min(sizes["median"]) if sizes else None


def reference_of(images: Path | str, folder: Path) -> str:
    """As the recipe names the images: relative to its folder where they were named so, or lie in it."""
    text = str(images)
    if parse_reference(text).name in DATASETS and not Path(text).is_dir():
        return text
    path = Path(text).expanduser()
    if not path.is_dir():
        raise BadInput(f"--images {text}: no such folder", "a folder of images, or a data set as in cifar10:DIR")
    return f"folder:{place_of(path, folder)}"


def place_of(path: Path, folder: Path) -> str:
    """A path as the recipe names it: absolute where it was given so and does not lie in the recipe's folder."""
    inside = path.absolute().is_relative_to(folder.absolute())
    return str(path) if path.is_absolute() and not inside else os.path.relpath(path, folder)


def absolute(reference: str, folder: Path) -> str:
    """The reference with its folder absolute, and no ".." in it."""
    found = parse_reference(reference)
    return str(found if found.root is None else replace(found, root=normal(folder / found.root)))


def normal(path: Path) -> Path:
    """Absolute and without "..", but with links as they are."""
    return Path(os.path.normpath(path.absolute()))


def propose(look: Look, device: Device, budget: float | None, minutes: float | None) -> Proposal:
    """All choices."""
    found = Proposal(lines=[*look.survey.lines(), *machine_lines(device)])
    space = choose_space(found, look)
    reference, why = images_for(look, space)
    found.choose("images", reference, why)
    dataset = get_dataset(absolute(reference, look.folder)).with_channels(space.in_channels)
    pace = timed(space, dataset)
    choose_device(found, device)
    if device.engine not in ENGINES:
        found.choose("export.engine", PLAIN, f"{device.engine} has no format of its own")
    choose_budget(found, device, space, budget)
    wish = proposal.minutes_for(pace, look.images, not look.is_ready) if minutes is None else (minutes, "as asked")
    found.choose("minutes", float(wish[0]), f"{wish[1]}; another wish changes whatever is not set below")
    choose_weights(found, look, Way(space, dataset, pace, 60 * wish[0]))
    if space.in_channels == 3:
        found.choose("compare.models", [KNOWN], "trained on the same images by the same recipe, to compare with")
    return found


def choose_device(found: Proposal, device: Device) -> None:
    """As asked; what is as usual is left out."""
    where = "there" if device.host else "here"
    found.choose("device.engine", device.engine, f"version {device.status.version} {where}")
    found.choose("device.threads", device.threads, "")
    for key, usual in (("precision", "fp32"), ("batch", 1), ("host", "")):
        if (value := getattr(device, key)) != usual:
            found.choose(f"device.{key}", value, "as asked")


def choose_space(found: Proposal, look: Look) -> SearchSpace:
    """The space at its resolutions."""
    name, why = proposal.space_for(look.pixels, look.images, look.facts)
    name, why = (look.asked_space, "as asked") if look.asked_space else (name, why)
    space = proposal.space_here(name, look.classes, look.facts)
    found.choose("space", name, why)
    if look.pixels is None:
        return space
    sizes, reason = proposal.resolutions_for(space, look.pixels, look.facts is not None)
    found.choose("resolutions", sizes, reason)
    return get_space(space, sizes)


def images_for(look: Look, space: SearchSpace) -> tuple[str, str]:
    """The reference with what these images and the space need."""
    reference, why = parse_reference(look.reference), f"{look.images:,} images for training"
    if look.survey.damaged:
        reference = replace(reference, damaged="skip")
        why += f"; {len(look.survey.damaged)} damaged ones are left out"
    if space.in_channels == 1 and look.survey.channels.get("colour"):
        reference = replace(reference, channels=1)
        why += f"; {space.name} takes grey images"
    return str(reference), why


@dataclass(frozen=True)
class Way:
    """What the way of evaluation depends on; `seconds` are those of the whole recipe."""

    space: SearchSpace
    dataset: Dataset
    pace: Pace
    seconds: float

    def choose(self, classes: int) -> Protocol:
        """How networks of a supernet of so many classes are evaluated."""
        share = self.seconds * (SHARES["supernet"] + SHARES["search"])
        return choose(self.space, self.dataset, EVALUATIONS, share, classes=classes, pace=self.pace)


def choose_weights(found: Proposal, look: Look, way: Way) -> None:
    """Weights as they are where they were trained on these images; else to start from, or to fine-tune each network."""
    if look.facts is None or look.supernet is None:
        return
    path, about = place_of(look.supernet, look.folder), f"{look.facts.what}, {look.facts.classes} classes"
    found.lines.append(str(look.facts))
    if look.is_ready:
        found.choose("supernet.file", path, f"{about}, trained on these images")
    elif (protocol := way.choose(look.facts.classes)).epochs:
        found.choose("supernet.file", path, about)
        found.choose("search.evaluate", protocol.options, str(protocol))
    else:
        found.choose("supernet.init", path, f"{about}\n{protocol}" if protocol.kind == "head" else about)


def choose_budget(found: Proposal, device: Device, space: SearchSpace, budget: float | None) -> None:
    """As asked, or half-way between the ends of the space, which are measured."""
    ends = proposal.latencies(device, space)
    name = "gpu_ms" if device.profiler.device == "cuda" else "cpu_ms"
    if isinstance(ends, str):
        found.lines.append(f"no network could be timed, so the recipe has no budget unless you give one: {ends}")
    else:
        found.lines.append(f"networks of this space take {proposal.shown(ends)} ms on this device (measured)")
    if budget is not None:
        found.choose(f"budget.{name}", budget, "as asked")
    elif not isinstance(ends, str):
        why = f"ms; the smallest and the largest network take {proposal.shown(ends)} (measured): put yours here"
        found.choose(f"budget.{name}", proposal.budget_between(*ends), why)


def machine_lines(device: Device) -> list[str]:
    """What the device and the machine are."""
    status, memory = device.status, available_memory()
    runtime = f"{device.engine} {status.version}" if status.available else f"{device.engine}: {status.reason}"
    there = f" on {device.host}; training here" if device.host else ""
    free = "" if memory is None else f", {memory / 1e9:.1f} GB of memory free"
    return [f"{runtime}{there}; {os.cpu_count()} cores{free}"]


def text(found: Proposal, seconds: dict[str, float]) -> str:
    """The recipe's file."""
    shares = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items() if value)
    told = [*found.lines, f"expected: {duration(sum(seconds.values()))} (estimated): {shares}"]
    head = [
        "A recipe of hwnas: `hwnas run` carries it out, `hwnas run --dry-run` checks it.",
        "Lines of a key that begin with # are defaults, or examples: take the # away to change one.",
        "",
        *told,
    ]
    opening = "".join(f"# {line}".rstrip() + "\n" for line in head)
    return f"{opening}\n{commented_toml(RecipeSettings, found.values, found.notes)}"


def ending(path: Path, seconds: dict[str, float]) -> list[str]:
    """What comes next."""
    return [f"written: {path}; about {duration(sum(seconds.values()))} (estimated)", f"next: hwnas run {path}"]
