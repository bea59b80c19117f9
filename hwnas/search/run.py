"""A run's folder, which stands alone.

`run.toml` (the resolved configuration), `archive.sqlite`, `tables/` (copies), `start.json` (the front that it starts
from, a copy), `weights/` (networks of the front that were fine-tuned).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import lut
from hwnas import accuracy
from hwnas.search import archive as archives
from hwnas.search.archive import Archive
from hwnas.search.config import Config, load_stored, to_toml
from hwnas.search.front import front
from hwnas.search.objectives import TOP1, make_objectives
from hwnas.search.problem import Problem
from hwnas.search.transfer import by_size
from hwnas.space import Architecture, Genes, SearchSpace
from hwnas.space.configured import settled
from lut import LatencyTable
from profilers.errors import BadInput, FileProblem
from profilers.files import read_bytes, read_json, write_bytes, write_json, write_text

CONFIG, ARCHIVE, TABLES, START, LOCK = "run.toml", "archive.sqlite", "tables", "start.json", ".lock"
_FREE = ("iterations", "executor")  # what may differ where a run is continued


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

    @cached_property
    def tables(self) -> dict[str, LatencyTable]:
        """The latency tables, by objective."""
        return {name: lut.load(path) for name, path in self.config.tables.items()}

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()


def make_problem(config: Config) -> Problem:
    """The problem that a configuration describes; BadInput for a table of another space or an impossible budget."""
    space = config.make_space()
    stated = config.hypervolume.get(TOP1)
    how, note = accuracy.obtained(config.accuracy), accuracy.remark(config.accuracy)
    objectives = make_objectives(space, config.needed, config.tables, how, note)
    limits = (stated[0], stated[1]) if stated else None
    return Problem(space, objectives, config.objectives, config.budget, config.scalarise, limits)


def check(folder: Path, config: Config) -> None:
    """BadInput or FileProblem if a run of `config` in `folder` could not start; nothing is written."""
    problem = make_problem(config)
    if config.init_from and not (folder / ARCHIVE).exists():
        front_of(config.init_from, problem.space)


def create_run(folder: Path, config: Config) -> Run:
    """A new run in a folder that holds none.

    Raises:
        BadInput: the folder already holds a run, or the configuration does not fit its tables.
    """
    if (folder / ARCHIVE).exists() or (folder / CONFIG).exists():
        raise BadInput(f"{folder} already holds a run", "a new folder", "--resume, or another --out")
    config = settled(config)
    problem = make_problem(config)
    if config.init_from:
        write_start(folder / START, front_of(config.init_from, problem.space))
    for name, path in config.tables.items():
        write_bytes(folder / TABLES / f"{name}.json", read_bytes(path))
    tables = {name: Path(TABLES) / f"{name}.json" for name in config.tables}
    write_text(folder / CONFIG, to_toml(replace(config, tables=tables)))
    return Run(folder, config, problem, archives.create(folder / ARCHIVE, _meta(problem)))


def open_run(folder: Path) -> Run:
    """An existing run, as it was configured.

    Raises:
        FileProblem: there is none. BadInput: it is damaged.
    """
    if not (folder / CONFIG).is_file():
        raise FileProblem(f"{folder} holds no run (no {CONFIG})", remedy="hwnas search CONFIG.toml --out RUN")
    config = load_stored(folder / CONFIG)
    return Run(folder, config, make_problem(config), archives.open_archive(folder / ARCHIVE))


def resume_run(folder: Path, config: Config) -> Run:
    """The run in `folder`, to be continued under `config`, which may ask for more iterations and nothing else.

    A folder in which a search was killed before its archive existed is started anew.
    """
    if not (folder / ARCHIVE).exists():
        (folder / CONFIG).unlink(missing_ok=True)
        return create_run(folder, config)
    run, config = open_run(folder), settled(config)
    if differences := _differences(run.config, config):
        run.archive.close()
        raise BadInput(
            f"{folder} was searched with another configuration: {'; '.join(differences)}",
            "the same, or another search.iterations",
            "another --out",
        )
    run.archive.upgrade()
    return replace(run, config=replace(run.config, search=config.search))


def front_of(folder: Path, space: SearchSpace) -> list[Architecture]:
    """The front of the run in `folder`, for a search of `space`.

    Raises:
        FileProblem: there is no run. BadInput: it is of another space, or has no front.
    """
    with open_run(folder) as run:
        if run.space.signature != space.signature:
            raise BadInput(f"{folder} is a run of space {run.space.name}", f"a run of {space.name}", "another run")
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
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(f"another process is searching in {folder}", "one at a time", "another --out") from error
        yield


def _table(path: Path) -> LatencyTable:
    """A table without the figures of its last verification, which change no prediction."""
    return replace(lut.load(path), verify=None)


def _differences(old: Config, new: Config) -> list[str]:
    found = []
    for name, a, b in _flat(old, new):
        if name == "tables":
            if [*a] != [*b] or any(_table(a[k]) != _table(b[k]) for k in a):
                found.append(f"{name} differ")
        elif name == "definition":
            if old.make_space() != new.make_space():
                found.append(f"the space was {_identity(old)}, is {_identity(new)}")
        elif name == "evaluate":
            if {k: v for k, v in a.items() if k != "unit"} != {k: v for k, v in b.items() if k != "unit"}:
                found.append(f"{name} was {a}, is {b}")
        elif a != b and name not in _FREE:
            found.append(f"{name} was {a}, is {b}")
    return found


def _identity(config: Config) -> str:
    space = config.make_space()
    return f"{space.name} ({space.signature})"


def _flat(old: Config, new: Config) -> Iterator[tuple[str, Any, Any]]:
    yield from ((f.name, getattr(old, f.name), getattr(new, f.name)) for f in fields(old) if f.name != "search")
    yield from ((f.name, getattr(old.search, f.name), getattr(new.search, f.name)) for f in fields(old.search))


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
