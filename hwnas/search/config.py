"""The configuration of a search: its keys and what holds over them; `config_files` reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from hwnas import accuracy
from hwnas.search.executors import ExecutorSettings
from hwnas.search.objectives import COUNTS, TOP1, check_name
from hwnas.search.own_objectives import BUILT_IN, OBJECTIVES, TABLE, ObjectiveSettings
from hwnas.search.problem import Scalarise
from hwnas.search.stopping import Stop
from hwnas.settings import Resolutions
from hwnas.space import SearchSpace
from hwnas.space.configured import configured_space, spelled
from profilers.constraints import Name, OneOf, Positive, Seed, Text
from profilers.errors import BadInput
from profilers.refusals import Refusals

SURROGATES = ("auto", "gp", "rbf", "cart", "mlp", "xgb")  # built in
STORED: ContextVar[bool] = ContextVar("stored", default=False)  # a run's own file is read (`config_files`)


@dataclass(frozen=True)
class SearchSettings:
    """Section [search]. Evaluations in all: initial + iterations * per_iteration."""

    initial: Annotated[int, Interval(ge=4, le=10**6)] = 100
    """Networks that are evaluated before the first iteration."""
    iterations: Annotated[int, Interval(ge=0, le=10**6)] = 30
    """Rounds of fitting the surrogate and evaluating what it proposes."""
    per_iteration: Annotated[int, Interval(ge=1, le=10**6)] = 8
    """Networks that are evaluated in each round."""
    surrogate: Text = "auto"
    """The model that predicts accuracy: auto (the paper's Adaptive Switching), gp, rbf, cart, mlp, xgb or one's own."""
    strategy: Annotated[str, OneOf(("msunas", "random", "nsga2"))] = "msunas"
    """The paper's search, random search, or NSGA-II without a surrogate."""
    choose: Annotated[str, OneOf(("hypervolume", "paper"))] = "hypervolume"
    """How each round's networks are chosen among the surrogate's proposals."""
    inner: Annotated[str, OneOf(("nsga2", "nsga3", "unsga3"))] = "nsga2"
    """The algorithm that searches on the surrogate: NSGA-II, NSGA-III or U-NSGA-III."""
    population: Annotated[int, Interval(ge=8, le=10**6)] = 120
    """Networks of a generation of the inner algorithm."""
    generations: Annotated[int, Interval(ge=1, le=10**6)] = 10
    """Generations of the inner algorithm."""
    initial_sampling: Annotated[str, OneOf(("spread", "uniform"))] = "spread"
    """spread: small to large networks, mostly near the budgets where all costs have one; uniform: as in the paper."""
    asynchronous: bool = False
    """Give a free worker a network at once, chosen in view of those being evaluated, and not with the next round."""
    stop: Stop = field(default_factory=Stop)
    """When to end before the last iteration."""

    def __post_init__(self) -> None:
        from profilers.validation import check_fields

        check_fields(self)

    def rules(self, found: Refusals) -> None:
        """The surrogate can be found."""
        if self.surrogate not in SURROGATES and not STORED.get():
            from hwnas import surrogates  # only for one that is not built in, because it imports scipy

            with found.collect():
                surrogates.SURROGATES.find(self.surrogate)

    @property
    def evaluations(self) -> int:
        """Networks evaluated in all."""
        return self.initial + self.iterations * self.per_iteration


@dataclass(frozen=True)
class Config:
    """The configuration of `hwnas search`. In a file, paths are relative to the file.

    Raises:
        BadInput: when made with anything that does not fit.
    """

    space: Text
    """The search space: the name of one, FILE.toml, or python:module:NAME."""
    accuracy: str
    """Where accuracies come from: supernet:CKPT, ofa-predictor:PATH, table:F.csv or python:module:function."""
    resolutions: Resolutions | None = None
    """Pixels of the images, a list or FIRST:LAST:STEP; by default the space's."""
    classes: int | None = None
    """Classes of the classifier; by default the space's."""
    objectives: tuple[Name, ...] = (TOP1, "params", "madds")
    """What is searched: top1 and others of params, madds, weight_bytes, peak_memory, [tables] and [objective]."""
    seed: Seed = 1
    """Of everything that is drawn."""
    init_from: Path | None = None
    """Folder of a run whose front says how the initial networks are drawn."""
    evaluate: dict[str, Any] = field(default_factory=dict)
    """Options of the accuracy source."""
    tables: dict[Name, Path] = field(default_factory=dict)
    """Latency tables by the name of their objective."""
    budget: dict[Name, Positive] = field(default_factory=dict)
    """The most that an objective may be, in its unit; the least for top1, in percent, and for what is maximised."""
    scalarise: Scalarise | None = None
    """One objective made of accuracy and one cost, in place of a front."""
    hypervolume: dict[Annotated[str, OneOf((TOP1,))], tuple[float, float]] = field(default_factory=dict)
    """The range of top1 as [worst, best] in percent; by default that of the smallest and the largest network."""
    search: SearchSettings = field(default_factory=SearchSettings)
    """How is searched, and for how long."""
    executor: ExecutorSettings = field(default_factory=ExecutorSettings)
    """Where evaluations run."""
    objective: dict[Name, ObjectiveSettings] = field(default_factory=dict)
    """Objectives of one's own by their name; a file may say [objectives.NAME], too."""
    definition: dict[str, Any] | None = None
    """The space in plain values, where it is not a built-in one; hwnas fills it in."""

    def __post_init__(self) -> None:
        from profilers.validation import check_fields

        check_fields(self)

    def rules(self, found: Refusals) -> None:
        """What holds over several keys; each is looked at whatever the others say."""
        for rule in (_check_values, Config.make_space, _check_top1, _check_objectives, _check_hypervolume):
            with found.collect():
                rule(self)
        for one_each in (_check_named, _check_sections):
            with found.collect():
                one_each(self, found)

    def make_space(self) -> SearchSpace:
        """The space, with its resolutions and classes."""
        return configured_space(self, self.resolutions, self.classes)

    @property
    def needed(self) -> tuple[str, ...]:
        """Objectives that are searched, limited or scalarised, each once."""
        extra = [*self.budget, *([self.scalarise.objective] if self.scalarise else [])]
        return tuple(dict.fromkeys([*self.objectives, *extra]))

    @property
    def all_tables(self) -> dict[str, Path]:
        """The files of [tables], and of sections [objective.NAME] whose source is a table."""
        own = {name: section.table for name, section in self.objective.items()}
        return {**self.tables, **{name: path for name, path in own.items() if path is not None}}

    @property
    def own(self) -> tuple[str, ...]:
        """The needed objectives that are neither accuracy, counts nor tables."""
        return tuple(name for name in self.needed if name not in (TOP1, *COUNTS, *self.all_tables))

    def with_tables(self, paths: Mapping[str, Path]) -> Config:
        """The same, with its tables in other places."""
        sections = {
            name: replace(section, source=f"{TABLE}:{paths[name]}") if section.table else section
            for name, section in self.objective.items()
        }
        return replace(self, tables={name: paths[name] for name in self.tables}, objective=sections)

    @property
    def fine_tunes(self) -> bool:
        """Whether evaluations change weights, so that the supernet alone does not give the evaluated networks."""
        kind, _ = accuracy.split(self.accuracy)
        return kind == "supernet" and bool(self.evaluate.get("finetune_epochs"))

    @property
    def subset(self) -> int | None:
        """On how many validation images a search judges networks where that is a part of them (`search.finals`)."""
        kind, _ = accuracy.split(self.accuracy)
        return self.evaluate.get("images") if kind == "supernet" else None

    def source(self, folder: Path | None = None, *, all_images: bool = False) -> str:
        """What a worker needs to open the accuracy source, as JSON; what it fine-tunes is kept in `folder`."""
        names = ("accuracy", "resolutions", "classes", "evaluate")
        keep = str(folder.absolute()) if folder is not None and self.fine_tunes else None
        values = {name: getattr(self, name) for name in names} | spelled(self.make_space())
        if all_images and self.subset is not None:
            values["evaluate"] = {name: value for name, value in self.evaluate.items() if name != "images"}
        return json.dumps(values | {"keep": keep}, allow_nan=False)


def _check_values(config: Config) -> None:
    from profilers.validation import check_plain

    check_plain(config.evaluate, "evaluate")
    if config.subset is not None and config.fine_tunes:
        got = f"evaluate.images = {config.subset} with finetune_epochs = {config.evaluate['finetune_epochs']}"
        raise BadInput(
            got, "one of them", "finetune_epochs alone: to fine-tune a network takes far longer than to judge it"
        )


def _check_named(config: Config, found: Refusals) -> None:
    """What is named exists; what a finished run was made with need not be installed."""
    if STORED.get():
        return
    with found.collect():
        accuracy.check(config.accuracy)
    for name in config.needed:
        with found.collect():
            check_name(name, config.all_tables, (*config.objective, *OBJECTIVES))


def _check_top1(config: Config) -> None:
    if 0 < config.budget.get(TOP1, 0) <= 1:
        raise BadInput(f"budget.top1 = {config.budget[TOP1]:g}", f"percent, as in {100 * config.budget[TOP1]:g}")


def _check_hypervolume(config: Config) -> None:
    for worst, best in config.hypervolume.values():
        if not (0 <= worst < best and 1 < best <= 100):
            raise BadInput(f"hypervolume.top1 = [{worst:g}, {best:g}]", "[worst, best] in percent")


def _check_sections(config: Config, found: Refusals) -> None:
    for name in config.tables:
        with found.collect():
            if name in (TOP1, *COUNTS, *BUILT_IN):
                raise BadInput(f"a table {name!r}, which is built in", "another name")
    for name, section in config.objective.items():
        with found.collect():
            _check_section(name, section, name in config.tables)


def _check_section(name: str, section: ObjectiveSettings, has_table: bool) -> None:
    if name in (TOP1, *COUNTS):
        raise BadInput(f"[objective.{name}], which is built in", "another name")
    if has_table and section.source:
        raise BadInput(f"objective {name} has a table and a source {section.source}", "one of them")
    if section.source and section.table is None and section.source.startswith(f"{TABLE}:"):
        raise BadInput(f"source {section.source!r} of objective {name}", f"{TABLE}:FILE")


def _check_objectives(config: Config) -> None:
    names = list(config.objectives)
    if TOP1 not in names or len(set(names)) < len(names):
        raise BadInput(f"objectives {names}", "top1 and others, each once")
    if len(names) == 1 and config.scalarise is None:
        raise BadInput("top1 is the only objective", "a second objective, or a section [scalarise]")
    if config.scalarise and (len(names) > 1 or config.scalarise.objective == TOP1):
        raise BadInput(f"[scalarise] of {config.scalarise.objective} beside {names}",
                       'objectives = ["top1"] and [scalarise] of a cost')  # fmt: skip
