"""The archive of a run: one SQLite file (WAL), in which an evaluation is one committed row.

    meta         schema, space, objectives: what the rows mean
    proposals    the networks of each iteration, in order, written at once before any is evaluated
    evaluations  one row a network: its objectives, or why there are none
    iterations   figures of each finished iteration (hypervolume, quality of the surrogate on networks new to it)

A process killed at any moment leaves whole rows; the same command evaluates what was proposed and has no row yet.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hwnas.accuracy.wilson import wilson
from hwnas.search.connections import reading, translated, writing
from hwnas.search.problem import History
from hwnas.space import Architecture, Genes
from profilers.errors import BadInput, FileProblem
from profilers.outputs import in_the_way

APPLICATION_ID = 0x68776E61  # "hwna", in the file's header
SCHEMA = 2  # 1 had no `images`; it is read, and brought up to date where a run is continued
OK, FAILED = "ok", "failed"
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE proposals (iteration INTEGER, position INTEGER, genes TEXT NOT NULL, predicted REAL, std REAL,
                        surrogate TEXT, seconds REAL NOT NULL, PRIMARY KEY (iteration, position)) STRICT;
CREATE TABLE evaluations (number INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, id TEXT NOT NULL UNIQUE,
                          status TEXT NOT NULL, arch TEXT NOT NULL, genes TEXT NOT NULL, objectives TEXT NOT NULL,
                          error TEXT, seconds REAL NOT NULL, images INTEGER) STRICT;
CREATE TABLE iterations (iteration INTEGER PRIMARY KEY, figures TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Proposed:
    """A network that an iteration proposes: its place in the whole run and in the iteration, and what was predicted."""

    number: int
    position: int
    genes: tuple[int, ...]
    predicted: float | None
    std: float | None


@dataclass(frozen=True)
class Evaluation:
    """A row: `objectives` by name in their own units, top1 None where `status` is "failed" and `error` says why.

    `images` that top1 is over; None where that is not known.
    """

    number: int
    iteration: int
    status: str
    arch: Architecture
    genes: tuple[int, ...]
    objectives: Mapping[str, float | None]
    error: str | None
    seconds: float
    images: int | None = None

    @property
    def top1_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of top1, in percent; None where the images are not known."""
        top1 = self.objectives.get("top1")
        return None if top1 is None or self.images is None else wilson(top1, self.images)

    def to_json(self) -> dict[str, Any]:
        """The row of `hwnas archive --format jsonl`."""
        low, high = self.top1_interval or (None, None)
        return {
            "id": self.arch.id,
            "iteration": self.iteration,
            "status": self.status,
            "arch": self.arch.to_json(),
            "objectives": dict(self.objectives),
            "error": self.error,
            "seconds": self.seconds,
            "images": self.images,
            "top1_low": low,
            "top1_high": high,
        }


def history(rows: Sequence[Evaluation], n_genes: int) -> History:
    """What a proposal depends on, of the rows of the iterations before it."""
    genes = np.array([row.genes for row in rows], np.int64).reshape(-1, n_genes)
    top1 = [np.nan if row.objectives["top1"] is None else row.objectives["top1"] for row in rows]
    return History(genes, np.array(top1, float))


class Archive:
    """An open archive; see `create` and `open_archive`. Use as a context manager."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        *,
        write: bool = True,
        copy: TemporaryDirectory[str] | None = None,
    ) -> None:
        self.path, self._connection, self._write, self._copy = path, connection, write, copy

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what the rows mean ----------------------------------------------------------------------------------

    @property
    def meta(self) -> dict[str, Any]:
        """Space and objectives, as given to `create`."""
        return {name: json.loads(value) for name, value in self._read("SELECT name, value FROM meta")}

    # --- writing ---------------------------------------------------------------------------------------------

    def add_proposal(
        self, iteration: int, genes: Genes, predicted: Any, std: Any, surrogate: str | None, seconds: float
    ) -> None:
        """All networks of an iteration in one transaction; `predicted` and `std` are (n,) or None."""
        columns = [[None] * len(genes) if x is None else np.asarray(x, float).tolist() for x in (predicted, std)]
        rows = [
            (iteration, i, json.dumps(row), columns[0][i], columns[1][i], surrogate, seconds)
            for i, row in enumerate(genes.tolist())
        ]
        with self._transaction() as do:
            do.executemany("INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def add_evaluation(self, e: Evaluation) -> None:
        """One committed row."""
        row = (
            e.number,
            e.iteration,
            e.arch.id,
            e.status,
            json.dumps(e.arch.to_json()),
            json.dumps(e.genes),
            json.dumps(dict(e.objectives), allow_nan=False),
            e.error,
            e.seconds,
            e.images,
        )
        with self._transaction() as do:
            do.execute("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def add_iteration(self, iteration: int, figures: Mapping[str, Any]) -> None:
        """The figures of a finished iteration."""
        with self._transaction() as do:
            do.execute("INSERT INTO iterations VALUES (?, ?)", (iteration, json.dumps(dict(figures), allow_nan=False)))

    def upgrade(self) -> None:
        """Bring an archive of schema 1 up to date, before it is written to."""
        if self._schema() == 1:
            with self._transaction() as do:
                do.execute("ALTER TABLE evaluations ADD COLUMN images INTEGER")
                do.execute(f"PRAGMA user_version = {SCHEMA}")

    # --- reading ---------------------------------------------------------------------------------------------

    def proposal(self, iteration: int) -> list[Proposed]:
        """What an iteration proposed, in order; empty if it has not begun."""
        rows = self._read(
            "SELECT (SELECT COUNT(*) FROM proposals q WHERE q.iteration < p.iteration) + position, position, genes, "
            "predicted, std FROM proposals p WHERE iteration = ? ORDER BY position",
            iteration,
        )
        return [Proposed(n, i, tuple(json.loads(genes)), mean, std) for n, i, genes, mean, std in rows]

    def proposal_info(self, iteration: int) -> tuple[str | None, float]:
        """The surrogate that proposed an iteration's networks, and the seconds that it took."""
        rows = self._read("SELECT surrogate, seconds FROM proposals WHERE iteration = ? LIMIT 1", iteration)
        return rows[0] if rows else (None, 0.0)

    def evaluations(self) -> list[Evaluation]:
        """All rows in the order of the run."""
        images = "NULL" if self._schema() == 1 else "images"
        rows = self._read(
            f"SELECT number, iteration, status, arch, genes, objectives, error, seconds, {images} FROM evaluations "
            "ORDER BY number"
        )
        return [_evaluation(row) for row in rows]

    def iterations(self) -> list[dict[str, Any]]:
        """The figures of the finished iterations, in order."""
        rows = self._read("SELECT iteration, figures FROM iterations ORDER BY iteration")
        return [{"iteration": k, **json.loads(figures)} for k, figures in rows]

    def _schema(self) -> int:
        return int(self._read("PRAGMA user_version")[0][0])

    def _read(self, query: str, *values: Any) -> list[Any]:
        with translated(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if not self._write:
            raise BadInput(f"{self.path} was opened to be read", "resume_run, to continue a search")
        with translated(self.path), self._connection:
            yield self._connection


def create(path: Path, meta: Mapping[str, Any]) -> Archive:
    """A new archive; BadInput if the file exists."""
    if path.exists():
        raise in_the_way(path.parent, "a run")
    path.parent.mkdir(parents=True, exist_ok=True)
    with translated(path):
        connection = writing(path)
        with connection:
            head = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA};"
            connection.executescript(f"BEGIN; {head} {_TABLES}")
            connection.executemany("INSERT INTO meta VALUES (?, ?)", [(k, json.dumps(v)) for k, v in meta.items()])
    return Archive(path, connection)


def open_archive(path: Path, *, write: bool = False) -> Archive:
    """An existing archive; it is only read unless `write`, and may then lie where nothing can be written.

    Raises:
        FileProblem: there is none.
        BadInput: the file is damaged, of another program, or of another schema.
    """
    if not path.is_file():
        raise FileProblem(f"there is no archive {path}", remedy="hwnas search CONFIG.toml --out RUN")
    with translated(path):
        connection, copy = (writing(path), None) if write else reading(path)
        try:
            _check_file(path, connection)
        except BaseException:
            connection.close()
            raise
    return Archive(path, connection, write=write, copy=copy)


def _check_file(path: Path, connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise BadInput(f"{path} is a database, but not an archive of hwnas", "the archive.sqlite of a run")
    if (schema := connection.execute("PRAGMA user_version").fetchone()[0]) not in (1, SCHEMA):
        raise BadInput(f"{path} has schema {schema}", f"schema 1 or {SCHEMA}", "the version of hwnas that wrote it")
    if (found := connection.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
        raise BadInput(f"{path} is damaged: {found}", remedy="a copy of it, or a new run")


def _evaluation(row: Sequence[Any]) -> Evaluation:
    number, iteration, status, arch, genes, objectives, error, seconds, images = row
    value = json.loads(arch)
    made = Architecture.from_json(value)
    values = json.loads(objectives)
    return Evaluation(number, iteration, status, made, tuple(json.loads(genes)), values, error, seconds, images)
