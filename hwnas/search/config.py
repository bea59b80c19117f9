"""The configuration of a search: TOML, strictly checked, every key also settable as `--set a.b=c`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from hwnas import accuracy
from hwnas.search.objectives import TOP1, check_name
from hwnas.search.problem import Scalarise
from hwnas.space import SearchSpace, get_space, parse_resolutions
from profilers.errors import BadInput
from profilers.files import read_text

_COUNT = 10**6


@dataclass(frozen=True)
class SearchSettings:
    """Section [search].

    Evaluations in all: initial + iterations * per_iteration. `surrogate`: auto (Adaptive Switching), gp, rbf, cart, mlp
    or xgb. `strategy`: msunas, random or nsga2. `choose`: hypervolume or paper. `inner`: an algorithm of pymoo, with
    its `population` and `generations`. `initial_sampling`: spread (small to large networks) or uniform (the paper's).
    """

    initial: int = 100
    iterations: int = 30
    per_iteration: int = 8
    surrogate: str = "auto"
    strategy: str = "msunas"
    choose: str = "hypervolume"
    inner: str = "nsga2"
    population: int = 120
    generations: int = 60
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

    `evaluate` are options of the accuracy source, `hypervolume` may state the range of top-1 as [worst, best].
    """

    space: str
    accuracy: str
    resolutions: tuple[int, ...] | None = None
    classes: int | None = None
    objectives: tuple[str, ...] = (TOP1, "params", "madds")
    seed: int = 1
    evaluate: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Path] = field(default_factory=dict)
    budget: dict[str, float] = field(default_factory=dict)
    scalarise: Scalarise | None = None
    hypervolume: dict[str, tuple[float, ...]] = field(default_factory=dict)
    search: SearchSettings = field(default_factory=SearchSettings)

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
    text = read_text(path)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}") from error
    for item in overrides:
        _override(data, item)
    return parse(data, path.parent, str(path))


def parse(data: Mapping[str, Any], folder: Path, where: str) -> Config:
    """Check a configuration; paths are relative to `folder`, `where` names it in errors."""
    data = dict(data)
    if isinstance(data.get("resolutions"), str):
        data["resolutions"] = list(parse_resolutions(data["resolutions"]) or ())
    config: Config = _build(Config, data, where)
    tables = {name: folder / path for name, path in config.tables.items()}
    config = replace(config, tables=tables, accuracy=accuracy.resolve(config.accuracy, folder))
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


def _check_numbers(config: Config, where: str) -> None:
    for name, allowed in CHOICES.items():
        if (value := getattr(config.search, name)) not in allowed:
            raise BadInput(f"{where}: search.{name} = {value!r}", ", ".join(allowed), _nearest(value, allowed))
    for name, least in _LEAST.items():
        if not least <= getattr(config.search, name) <= _COUNT:
            raise BadInput(f"{where}: search.{name} = {getattr(config.search, name)}", f"{least} to {_COUNT}")
    positive = [*config.budget.values(), *([config.scalarise.target] if config.scalarise else [])]
    if any(not 0 < x < float("inf") for x in positive) or config.seed < 0:
        raise BadInput(f"{where}: a seed, budget or target that is negative, zero or not finite", "positive numbers")
    for name, limits in config.hypervolume.items():
        if name != TOP1 or len(limits) != 2 or not 0 <= limits[0] < limits[1] <= 100:
            raise BadInput(f"{where}: hypervolume.{name} = {list(limits)}", "top1 = [worst, best] in percent")


def _build(cls: type[Any], data: Any, where: str) -> Any:
    """A dataclass from a mapping whose keys are its fields and whose values have their types."""
    if not isinstance(data, Mapping):
        raise BadInput(f"{where} is {data!r}", "a section")
    hints = get_type_hints(cls)
    names = [f.name for f in fields(cls)]
    for name in data:
        if name not in names:
            near = _nearest(name, names)
            raise BadInput(f"{where}: unknown key {name!r}", near or ", ".join(names), near)
    required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in required if name not in data]:
        raise BadInput(f"{where} lacks {', '.join(missing)}", f"{missing[0]} = …")
    return cls(**{name: _value(value, hints[name], f"{where}: {name}") for name, value in data.items()})


def _value(value: Any, hint: Any, where: str) -> Any:
    """`value` as what the annotation says; BadInput otherwise."""
    options = [h for h in get_args(hint) if h is not type(None)] if type(None) in get_args(hint) else [hint]
    kind = options[0]
    if hasattr(kind, "__dataclass_fields__"):
        return _build(kind, value, where)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_value(x, get_args(kind)[0], where) for x in value)
    if get_origin(kind) is dict and isinstance(value, Mapping):
        return {str(k): _value(x, get_args(kind)[1], f"{where}.{k}") for k, x in value.items()}
    if kind is Any or (kind in (int, str) and type(value) is kind):
        return value
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise BadInput(f"{where} = {value!r}", _KIND_NAMES.get(get_origin(kind) or kind, "a section"))


_KIND_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a file name",
    tuple: "a list",
}


def _override(data: dict[str, Any], item: str) -> None:
    """Apply `a.b=c`; c is TOML, or a plain text."""
    name, found, text = item.partition("=")
    if not found or not name:
        raise BadInput(f"--set {item}", "--set key=value, as in --set search.iterations=10")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *path, last = name.strip().split(".")
    for part in path:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise BadInput(f"--set {item}", f"a key; {part} is a value")
    data[last] = value


def _nearest(value: str, allowed: Sequence[str]) -> str:
    return next(iter(get_close_matches(value, allowed, 1, 0.5)), "")


def to_toml(config: Config) -> str:
    """The configuration, whole, as TOML; JSON's notation of texts, numbers and lists is TOML's too."""
    plain, sections = [], []
    for f in fields(config):
        value = getattr(config, f.name)
        if value is None or value == {}:
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
