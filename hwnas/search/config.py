"""The configuration of a search: TOML, strictly checked, every key also settable as `--set a.b=c`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hwnas import accuracy
from hwnas.data.reference import resolve_reference
from hwnas.search.executors import EXECUTORS, ExecutorSettings
from hwnas.search.objectives import TOP1, check_name
from hwnas.search.problem import Scalarise
from hwnas.settings import build, check_range, nearest, read_toml
from hwnas.space import SearchSpace, get_space, parse_resolutions
from profilers.errors import BadInput

_COUNT = 10**6


@dataclass(frozen=True)
class SearchSettings:
    """Section [search].

    Evaluations in all: initial + iterations * per_iteration. `surrogate`: auto (Adaptive Switching), gp, rbf, cart, mlp
    or xgb. `strategy`: msunas, random or nsga2. `choose`: hypervolume or paper. `inner`: an algorithm of pymoo, with
    its `population` and `generations`. `initial_sampling`: spread (small to large networks; mostly
    near the budgets where all costs have one) or uniform (the paper's).
    """

    initial: int = 100
    iterations: int = 30
    per_iteration: int = 8
    surrogate: str = "auto"
    strategy: str = "msunas"
    choose: str = "hypervolume"
    inner: str = "nsga2"
    population: int = 120
    generations: int = 30
    initial_sampling: str = "spread"

    @property
    def evaluations(self) -> int:
        """Networks evaluated in all."""
        return self.initial + self.iterations * self.per_iteration


CHOICES = {
    "surrogate": ("auto", "gp", "rbf", "cart", "mlp", "xgb"), "strategy": ("msunas", "random", "nsga2"),
    "choose": ("hypervolume", "paper"), "inner": ("nsga2", "nsga3", "unsga3"),
    "initial_sampling": ("spread", "uniform"),
}  # fmt: skip
_LEAST = {"initial": 4, "iterations": 0, "per_iteration": 1, "population": 8, "generations": 1}


@dataclass(frozen=True)
class Config:
    """A whole configuration; paths are absolute or relative to the working directory.

    `init_from` is the folder of a run whose front says how the initial networks are drawn (`hwnas.search.transfer`),
    `evaluate` are options of the accuracy source, `hypervolume` may state the range of top-1 as [worst, best].
    """

    space: str
    accuracy: str
    resolutions: tuple[int, ...] | None = None
    classes: int | None = None
    objectives: tuple[str, ...] = (TOP1, "params", "madds")
    seed: int = 1
    init_from: Path | None = None
    evaluate: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Path] = field(default_factory=dict)
    budget: dict[str, float] = field(default_factory=dict)
    scalarise: Scalarise | None = None
    hypervolume: dict[str, tuple[float, ...]] = field(default_factory=dict)
    search: SearchSettings = field(default_factory=SearchSettings)
    executor: ExecutorSettings = field(default_factory=ExecutorSettings)

    def make_space(self) -> SearchSpace:
        """The space, with its resolutions and classes."""
        return get_space(self.space, self.resolutions, self.classes)

    @property
    def needed(self) -> tuple[str, ...]:
        """Objectives that are searched, limited or scalarised, each once."""
        extra = [*self.budget, *([self.scalarise.objective] if self.scalarise else [])]
        return tuple(dict.fromkeys([*self.objectives, *extra]))


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML file, apply `a.b=c` overrides, check everything.

    Raises:
        FileProblem: the file cannot be read. BadInput: anything in it that does not fit, with the nearest allowed.
    """
    return parse(read_toml(path, overrides), path.parent, str(path))


def parse(data: Mapping[str, Any], folder: Path, where: str) -> Config:
    """Check a configuration; paths are relative to `folder`, `where` names it in errors."""
    data = dict(data)
    if isinstance(data.get("resolutions"), str):
        data["resolutions"] = list(parse_resolutions(data["resolutions"]) or ())
    config = build(Config, data, where)
    tables = {name: folder / path for name, path in config.tables.items()}
    start = (folder / config.init_from).absolute() if config.init_from else None
    config = replace(config, tables=tables, accuracy=accuracy.resolve(config.accuracy, folder), init_from=start)
    if isinstance(dataset := config.evaluate.get("dataset"), str):
        config = replace(config, evaluate=config.evaluate | {"dataset": resolve_reference(dataset, folder)})
    _check(config, where)
    return config


def _check(config: Config, where: str) -> None:
    config.make_space()
    for name in config.tables:
        if not name.endswith("_ms"):
            raise BadInput(f"{where}: table {name!r}", "a name ending in _ms", f"{name}_ms")
    for name in config.needed:
        check_name(name, config.tables)
    if TOP1 not in config.objectives or len(set(config.objectives)) < len(config.objectives):
        raise BadInput(f"{where}: objectives {list(config.objectives)}", "top1 and others, each once")
    if len(config.objectives) == 1 and config.scalarise is None:
        raise BadInput(f"{where}: top1 is the only objective", "a second objective, or a section [scalarise]")
    if config.scalarise and (len(config.objectives) > 1 or config.scalarise.objective == TOP1):
        raise BadInput(f"{where}: [scalarise] of {config.scalarise.objective} beside {list(config.objectives)}",
                       'objectives = ["top1"] and [scalarise] of a cost')  # fmt: skip
    _check_numbers(config, where)
    _check_executor(config.executor, where)


def _check_numbers(config: Config, where: str) -> None:
    for name, allowed in CHOICES.items():
        if (value := getattr(config.search, name)) not in allowed:
            raise BadInput(f"{where}: search.{name} = {value!r}", ", ".join(allowed), nearest(value, allowed))
    check_range(config.search, _LEAST, dict.fromkeys(_LEAST, _COUNT))
    positive = [*config.budget.values(), *([config.scalarise.target] if config.scalarise else [])]
    if any(not 0 < x < float("inf") for x in positive) or config.seed < 0:
        raise BadInput(f"{where}: a seed, budget or target that is negative, zero or not finite", "positive numbers")
    if 0 < config.budget.get(TOP1, 0) <= 1:
        raise BadInput(
            f"{where}: budget.top1 = {config.budget[TOP1]:g}", f"percent, as in {100 * config.budget[TOP1]:g}"
        )
    for name, limits in config.hypervolume.items():
        if name != TOP1 or len(limits) != 2 or not (0 <= limits[0] < limits[1] and 1 < limits[1] <= 100):
            raise BadInput(f"{where}: hypervolume.{name} = {list(limits)}", "top1 = [worst, best] in percent")


def _check_executor(executor: ExecutorSettings, where: str) -> None:
    if executor.kind not in (kinds := ("auto", *EXECUTORS)):
        near = nearest(executor.kind, kinds)
        raise BadInput(f"{where}: executor.kind = {executor.kind!r}", ", ".join(kinds), near)
    if executor.workers > 1 and executor.kind not in ("auto", "processes"):
        raise BadInput(f"{where}: executor {executor.kind} with {executor.workers} workers", "workers of processes")
    check_range(executor, {"workers": 1, "retries": 0, "num_cpus": 0, "num_gpus": 0}, {"workers": 1024, "retries": 100})
    if bad := [name for name, amount in executor.resources.items() if not 0 <= amount < float("inf")]:
        raise BadInput(f"{where}: executor.resources.{bad[0]} = {executor.resources[bad[0]]}", "0 or more")


def to_toml(config: Config) -> str:
    """The configuration as TOML, without where it ran; JSON's notation of texts, numbers and lists is TOML's too."""
    plain, sections = [], []
    for f in fields(config):
        value = getattr(config, f.name)
        if value is None or value == {} or f.name == "executor":
            continue
        if isinstance(value, dict) or hasattr(value, "__dataclass_fields__"):
            items = value if isinstance(value, dict) else {g.name: getattr(value, g.name) for g in fields(value)}
            lines = [f"{k} = {_toml(v)}" for k, v in items.items()]
            sections.append("\n".join([f"[{f.name}]", *lines]))
        else:
            plain.append(f"{f.name} = {_toml(value)}")
    return "\n\n".join(["\n".join(plain), *sections]) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(str(value) if isinstance(value, Path) else value, allow_nan=False)
