"""All that a search needs, looked at before anything is written, and everything that is wrong said at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lut
from hwnas import accuracy
from hwnas.accuracy import timeout
from hwnas.data import check_dataset
from hwnas.search import config_files
from hwnas.search.config import Config
from hwnas.search.made_objectives import made
from hwnas.search.objectives import COUNTS, TOP1, Objective, make_objectives
from hwnas.search.own_objectives import OBJECTIVES, find
from hwnas.search.problem import Problem
from hwnas.search.run import ARCHIVE, Given, front_of
from hwnas.space import SearchSpace
from profilers.errors import BadInput, FileProblem
from profilers.files import check_readable
from profilers.refusals import Refusals


def load(path: Path, overrides: Sequence[str], folder: Path, *, fresh: bool = False) -> Config:
    """The configuration of a file, for a search in `folder`.

    Args:
        path: TOML.
        overrides: as in "search.iterations=10".
        folder: the run's. Where it holds one that is continued, its own copies of files count, and are not looked at.
        fresh: whether that run is replaced.

    Raises:
        FileProblem: the file cannot be read. BadInput: everything in it that does not fit, a line each.
    """
    found = Refusals()
    config = config_files.draft_of_file(path, overrides, found)
    with found.collect():
        _check_folder(folder)
    if fresh or not (folder / ARCHIVE).exists():
        _look(config, None, found)
    found.raise_if_any()
    return config


def check(folder: Path, config: Config, given: Given = None, *, fresh: bool = False) -> None:
    """BadInput or FileProblem if a run of `config` in `folder` could not start, with every reason."""
    if (folder / ARCHIVE).exists() and not fresh:
        return
    found = Refusals()
    with found.collect():
        _check_folder(folder)
    _look(config, given, found)
    found.raise_if_any()


def _look(config: Config, given: Given, found: Refusals) -> None:
    """Files first, then what needs the space; whatever does not fit in the configuration itself is passed over."""
    if found.quietly(lambda: accuracy.split(config.accuracy)):
        with found.collect():
            accuracy.check_file(config.accuracy)
        with found.collect():
            timeout.of(config.evaluate)
            accuracy.check_named(config.accuracy, timeout.without(config.evaluate))
    with found.collect():
        if isinstance(dataset := config.evaluate.get("dataset"), str):
            check_dataset(dataset)
    space = found.quietly(config.make_space)  # what is wrong with it, the configuration has said
    with found.collect():
        for name, path in config.all_tables.items():
            with found.collect():
                _check_table(name, path, space)
    if space is not None:
        _look_in(space, config, given, found)


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file", "a folder for the run", "another --out")


def _check_table(name: str, path: Path, space: SearchSpace | None) -> None:
    try:
        check_readable(path)
    except FileProblem as error:
        make = f"hwnas lut build --space {space.name} --engine ENGINE --out {path}" if space else error.remedy
        raise FileProblem(f"the table of {name}: {error.got}", remedy=make) from error
    lut.load(path)


def _look_in(space: SearchSpace, config: Config, given: Given, found: Refusals) -> None:
    objectives: dict[str, Objective] = {}
    with found.collect():
        for name in _known(config, given):
            with found.collect():
                objectives[name] = _objective(space, name, config, given)
    with found.collect():
        for name, limit in config.budget.items():
            with found.collect():
                Problem(space, objectives, (TOP1,), {name: limit} if name in objectives else {})
    with found.collect():
        scalarise = config.scalarise
        Problem(space, objectives, (TOP1,), {}, scalarise if scalarise and scalarise.objective in objectives else None)
    with found.collect():
        if set(objectives) >= set(config.needed):
            listed = found.quietly(lambda: accuracy.listed(config.accuracy, space, config.evaluate))
            Problem(space, objectives, (TOP1,), config.budget, candidates=listed)
    with found.collect():
        if config.init_from:
            front_of(config.init_from, space)


def _known(config: Config, given: Given) -> list[str]:
    """Needed objectives that can be looked at: unknown ones, and tables that cannot be read, have been said."""
    tables = {name for name, path in config.all_tables.items() if path.is_file()}
    known = {TOP1, *COUNTS, *tables, *config.objective, *OBJECTIVES, *(given or {})} - (
        config.all_tables.keys() - tables
    )
    return [name for name in config.needed if name in known]


def _objective(space: SearchSpace, name: str, config: Config, given: Given) -> Objective:
    if name in config.own:
        return made(space, find(name, config.objective, given))
    return make_objectives(space, [name], config.all_tables)[name]
