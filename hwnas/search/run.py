"""A run's folder, which stands alone.

`run.toml` (the resolved configuration), `archive.sqlite`, `tables/` (copies), `objectives.json` (own objectives,
without their code), `start.json` (the front that it starts from, a copy), `weights/` (networks of the front that were
fine-tuned).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import lut
from hwnas import accuracy
from hwnas.search import archive as archives
from hwnas.search.archive import Archive
from hwnas.search.archive_tables import CURE
from hwnas.search.config import Config
from hwnas.search.config_files import load_stored, to_toml
from hwnas.search.differences import differences
from hwnas.search.front import front
from hwnas.search.made_objectives import continued, keep, kept, made
from hwnas.search.objectives import COST, EXACT, LATENCY, MS, TOP1, Objective, make_objectives
from hwnas.search.own_objectives import GIVEN, ObjectiveSettings, OwnObjective, find
from hwnas.search.places import portable, relocated
from hwnas.search.problem import Problem
from hwnas.search.transfer import by_size
from hwnas.space import Architecture, Genes, SearchSpace
from hwnas.space.configured import settled
from lut import LatencyTable
from profilers import locks
from profilers.errors import BadInput, FileProblem
from profilers.files import read_bytes, read_json, write_bytes, write_json, write_text
from profilers.outputs import different, in_the_way
from profilers.progress import say

CONFIG, ARCHIVE, TABLES, START, LOCK = "run.toml", "archive.sqlite", "tables", "start.json", ".lock"
Given = Mapping[str, OwnObjective] | None
_told: set[Path] = set()  # folders of which it has been said that their rows have no checksums


@dataclass(frozen=True, eq=False)
class Run:
    """An open run; close its archive (or use as a context manager)."""

    folder: Path
    config: Config
    problem: Problem
    archive: Archive

    @property
    def space(self) -> SearchSpace:
        """The space that was searched."""
        return self.problem.space

    @property
    def start(self) -> Genes | None:
        """(f, n_genes) of the front that the initial networks are drawn like, if the configuration names one."""
        return read_start(self.folder / START, self.space) if self.config.init_from else None

    def among(self, networks: Genes | None) -> Run:
        """The same with these as the only networks (k, n_genes) that are searched, if they are not all of the space.

        Raises:
            BadInput: none of them is within the budget.
        """
        if networks is None or len(networks) == self.space.size:
            return self
        return replace(self, problem=replace(self.problem, candidates=by_size(self.space, networks)))

    @cached_property
    def tables(self) -> dict[str, LatencyTable]:
        """The latency tables, by objective."""
        return {name: lut.load(path) for name, path in self.config.all_tables.items()}

    def how(self, name: str) -> str:
        """How an objective that is neither accuracy nor of a table came about, in words."""
        objective, section = self.problem.objectives[name], self.config.objective.get(name)
        source = (section.source if section else None) or name
        kind, found, rest = source.partition(":")
        shown = f"{kind}:{Path(rest).name}" if found else source  # whoever reads it need not know the folder
        shown = "the program that searched" if source == GIVEN else shown
        how = "exact: counted from the layers" if objective.status == EXACT else f"computed by {shown}"
        return f"{how}; {objective.note}" if objective.note else how

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()


def make_problem(config: Config, own: Mapping[str, Objective]) -> Problem:
    """The problem that a configuration describes, with its `own` objectives.

    Raises:
        BadInput: a table of another space, or an impossible budget.
    """
    space = config.make_space()
    stated = config.hypervolume.get(TOP1)
    how, note = accuracy.obtained(config.accuracy), accuracy.remark(config.accuracy)
    objectives = make_objectives(space, config.needed, config.all_tables, how, note, own)
    described = {name: _described(o, config.objective.get(name)) for name, o in objectives.items()}
    limits = (stated[0], stated[1]) if stated else None
    return Problem(space, described, config.objectives, config.budget, config.scalarise, limits)


def _described(objective: Objective, section: ObjectiveSettings | None) -> Objective:
    """A table's objective as its section describes it: in milliseconds it is a latency."""
    if section is None or objective.kind != LATENCY:
        return objective
    unit = MS if section.unit is None else section.unit
    note = "; ".join(text for text in (section.note, objective.note) if text)
    minimise = section.direction != "maximise"
    return replace(objective, unit=unit, minimise=minimise, note=note, kind=LATENCY if unit == MS else COST)


def _new_problem(config: Config, given: Given) -> Problem:
    space = config.make_space()
    return make_problem(config, {name: made(space, find(name, config.objective, given)) for name in config.own})


def create_run(folder: Path, config: Config, given: Given = None) -> Run:
    """A new run in a folder that holds none; `given` are the objectives whose source is "given", by name.

    Raises:
        BadInput: the folder already holds a run, or the configuration does not fit its tables.
    """
    if (folder / ARCHIVE).exists() or (folder / CONFIG).exists():
        raise in_the_way(folder, "a run")
    config = settled(config)
    problem = _new_problem(config, given)
    if config.init_from:
        write_start(folder / START, front_of(config.init_from, problem.space))
    for name, path in config.all_tables.items():
        write_bytes(folder / TABLES / f"{name}.json", read_bytes(path))
    keep(folder, [problem.objectives[name] for name in config.own])
    write_text(folder / CONFIG, to_toml(_written(config, folder)))
    made = archives.create(folder / ARCHIVE, _meta(problem))
    made.expect(problem.space, config.needed)
    return Run(folder, config, problem, made)


def _written(config: Config, folder: Path) -> Config:
    """As a run's folder holds it."""
    tables = {name: Path(TABLES) / f"{name}.json" for name in config.all_tables}
    return portable(config.with_tables(tables), folder)


def open_run(folder: Path, *, write: bool = False, archive: Path | None = None) -> Run:
    """An existing run, as it was configured; it is only read unless `write`. `archive` is a copy of its own.

    Raises:
        FileProblem: there is none. BadInput: it is damaged.
    """
    if not (folder / CONFIG).is_file():
        raise FileProblem(f"{folder} holds no run (no {CONFIG})", remedy="hwnas search CONFIG.toml --out RUN")
    config = load_stored(folder / CONFIG)
    opened = archives.open_archive(archive or folder / ARCHIVE, write=write)
    try:
        space = config.make_space()
        _check_meta(opened, space)
        if not (write or archive or opened.has_checksums or folder in _told):
            _told.add(folder)
            say(f"{opened.path} is of an earlier version: its rows have no checksums; resuming the search adds them")
        opened.expect(space, config.needed)
        own = kept(folder, space, config.own, opened.evaluations)
        return Run(folder, config, make_problem(config, own), opened)
    except BaseException:
        opened.close()
        raise


def _check_meta(archive: Archive, space: SearchSpace) -> None:
    """BadInput where the archive was put beside another run's configuration."""
    about = archive.meta.get("space")
    if not isinstance(about, dict) or about.get("signature") != space.signature:
        raise BadInput(f"{archive.path} is not of the space {space.name} of {CONFIG} beside it", remedy=CURE)


def resume_run(folder: Path, config: Config, given: Given = None) -> Run:
    """The run in `folder`, to be continued under `config`, which may ask for more iterations and nothing else.

    Files that it names may lie at another place than before. `given` as of `create_run`. A folder in which a search was
    killed before its archive existed is started anew.
    """
    if not archives.exists(folder / ARCHIVE):
        for name in (CONFIG, ARCHIVE, f"{ARCHIVE}-wal", f"{ARCHIVE}-shm", f"{ARCHIVE}-journal"):
            (folder / name).unlink(missing_ok=True)
        return create_run(folder, config, given)
    run, config = open_run(folder, write=True), settled(config)
    try:
        return _resumed(run, config, given)
    except BaseException:
        run.archive.close()
        raise


def _resumed(run: Run, config: Config, given: Given) -> Run:
    if found := differences(run.config, config):
        raise different(run.folder, found)
    own = {name: find(name, config.objective, given) for name in run.config.own}
    again = continued(run.problem.objectives, own, run.space, run.archive.evaluations() if own else ())
    run.archive.upgrade()
    placed = relocated(run.config, config)
    if placed != run.config:
        write_text(run.folder / CONFIG, to_toml(_written(placed, run.folder)))
    objectives = {**run.problem.objectives, **again}
    problem = replace(run.problem, objectives={name: objectives[name] for name in run.problem.objectives})
    return replace(run, config=replace(placed, search=config.search, executor=config.executor), problem=problem)


def front_of(folder: Path, space: SearchSpace) -> list[Architecture]:
    """The front of the run in `folder`, for a search of `space`.

    Raises:
        FileProblem: there is no run. BadInput: it is of another space, or has no front.
    """
    with open_run(folder) as run:
        if run.space.signature != space.signature:
            raise BadInput(f"{folder} is a run of space {run.space.name} ({run.space.signature})",
                           f"a run of {space.name} ({space.signature})", "another run")  # fmt: skip
        found = [row.arch for row in front(run.problem, run.archive.evaluations())]
    if not found:
        raise BadInput(f"{folder} has evaluated no network within its budget", "a run with a front", "another run")
    return found


def write_start(path: Path, archs: list[Architecture]) -> None:
    """Keep the front beside the run that starts from it, which then does not depend on the other run."""
    write_json(path, [arch.to_json() for arch in archs])


def read_start(path: Path, space: SearchSpace) -> Genes:
    """(f, n_genes), from few to many MAdds; a resolution that `space` lacks becomes the nearest that it has."""
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{path} is damaged", "a list of architectures", "a new run")
    try:
        nearest = [min(space.resolutions, key=lambda r: abs(r - row["r"])) for row in rows]
        archs = [space.parse({**row, "r": r}) for row, r in zip(rows, nearest, strict=True)]
    except (TypeError, KeyError) as error:
        raise BadInput(f"{path} is damaged", "a list of architectures", "a new run") from error
    return by_size(space, space.encode(archs))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; BadInput if another process searches here. The lock dies with its process."""
    with ExitStack() as stack:
        stack.enter_context(locks.made(folder))
        try:
            stack.enter_context(locks.locked(folder / LOCK))
        except locks.Busy as busy:
            raise BadInput(f"{busy} is searching in {folder}", "one at a time", "another --out") from busy
        yield


def _meta(problem: Problem) -> dict[str, Any]:
    space = problem.space
    return {
        "space": {
            "name": space.name,
            "signature": space.signature,
            "resolutions": list(space.resolutions),
            "classes": space.classes,
        },
        "objectives": [o.to_json() for o in problem.objectives.values()],
        "searched": list(problem.names),
        "obtained": {name: o.obtained for name, o in problem.objectives.items()},
    }
