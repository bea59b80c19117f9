"""The archive of a run: one SQLite file (WAL), in which an evaluation is one committed row.

    meta         schema, space, objectives: what the rows mean
    proposals    the networks of each iteration, in order, written at once before any is evaluated
    evaluations  one row a network: its objectives, or why there are none
    iterations   figures of each finished iteration (hypervolume, quality of the surrogate on networks new to it)
    finals       one row a network of the front that was judged again, on all images (`hwnas.search.finals`)

A process killed at any moment leaves whole rows; the same command evaluates what was proposed and has no row yet.
What a file must be to be opened is in `archive_tables`, what its rows must be in `archive_rows`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import numpy as np

from hwnas.search import archive_rows, archive_tables
from hwnas.search.archive_rows import EvaluationRow, FinalRow, IterationRow, ProposalRow, sealed
from hwnas.search.archive_tables import CURE, SCHEMA
from hwnas.search.connections import connect, reading, translated, writing
from hwnas.search.evaluation import FAILED as FAILED
from hwnas.search.evaluation import OK as OK
from hwnas.search.evaluation import SUBSET as SUBSET
from hwnas.search.evaluation import Evaluation as Evaluation
from hwnas.search.evaluation import Proposed as Proposed
from hwnas.search.evaluation import history as history
from hwnas.space import Genes, SearchSpace
from profilers import temporary
from profilers.errors import BadInput, FileProblem
from profilers.files import parse_json
from profilers.outputs import in_the_way

Row = TypeVar("Row")


class Answer(Protocol):
    """What came of an evaluation (`hwnas.search.executors.Outcome`)."""

    @property
    def top1(self) -> float | None:
        """In percent, or None."""

    @property
    def error(self) -> str | None:
        """Why there is none."""

    @property
    def seconds(self) -> float:
        """That it took."""

    @property
    def images(self) -> int | None:
        """That top1 is over, where that is known."""


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
        self._space: SearchSpace | None = None
        self._names: Collection[str] = ()

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
        return {name: parse_json(value, f"{self.path}: meta.{name}") for name, value in self._raw("meta")}

    @property
    def has_checksums(self) -> bool:
        """Whether a row that was changed is noticed."""
        return archive_tables.schema_of(self._connection) >= archive_tables.WITH_CHECKSUMS

    def expect(self, space: SearchSpace, objectives: Collection[str]) -> None:
        """From now on an evaluation is of a network of this space and has these objectives, or is refused."""
        self._space, self._names = space, objectives

    # --- writing ---------------------------------------------------------------------------------------------

    def add_proposal(
        self,
        iteration: int,
        genes: Genes,
        predicted: Any,
        std: Any,
        surrogate: str | None,
        seconds: float,
        *,
        first: int = 0,
    ) -> None:
        """Networks of an iteration from its place `first` on, all or none; `predicted` and `std` are (n,) or None."""
        columns = [[None] * len(genes) if x is None else np.asarray(x, float).tolist() for x in (predicted, std)]
        rows = [
            (iteration, first + i, json.dumps(row), columns[0][i], columns[1][i], surrogate, float(seconds))
            for i, row in enumerate(genes.tolist())
        ]
        self._add("proposals", rows)

    def add_evaluation(self, e: Evaluation) -> None:
        """One committed row."""
        self._add("evaluations", [archive_rows.of_evaluation(e)])

    def add_final(self, number: int, outcome: Answer) -> None:
        """One committed row: what came out on all images for the evaluation of that number."""
        error = archive_rows.text_of(outcome.error)
        self._add("finals", [(number, outcome.top1, error, float(outcome.seconds), outcome.images)])

    def add_iteration(self, iteration: int, figures: Mapping[str, Any]) -> None:
        """The figures of a finished iteration."""
        self._add("iterations", [(iteration, json.dumps(dict(figures), allow_nan=False))])

    def upgrade(self) -> None:
        """Bring an archive of an older schema up to date, before it is written to; all of it, or nothing."""
        if archive_tables.schema_of(self._connection) == SCHEMA:
            return
        kinds = {"proposals": ProposalRow, "evaluations": EvaluationRow, "iterations": IterationRow}
        for table, kind in kinds.items():
            self._checked(kind, table)
        rows = {table: self._raw(table) for table in archive_tables.names(archive_tables.schema_of(self._connection))}
        with self._transaction() as do:
            do.execute("BEGIN IMMEDIATE")
            for table in rows:
                do.execute(f"DROP TABLE {table}")
            archive_tables.make(do)
            for table, found in rows.items():
                _insert(do, table, found)

    def _add(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._transaction() as do:
            _insert(do, table, rows)

    # --- reading ---------------------------------------------------------------------------------------------

    def proposal(self, iteration: int, start: int = 0) -> list[Proposed]:
        """What an iteration proposed, in order, from position `start` on; empty if it has not begun."""
        where = "WHERE iteration = ? AND position >= ? ORDER BY position"
        rows = self._checked(ProposalRow, "proposals", where, iteration, start)
        first = self._read("SELECT COUNT(*) FROM proposals WHERE iteration < ?", iteration)[0][0]
        if [row.position for row in rows] != list(range(start, start + len(rows))):
            raise BadInput(f"{self.path} is damaged: a proposal of iteration {iteration} is missing", remedy=CURE)
        archive_rows.check_genes(self.path, [row.genes for row in rows], self._space)
        return [Proposed(first + row.position, row.position, row.genes, row.predicted, row.std) for row in rows]

    def proposal_info(self, iteration: int) -> tuple[str | None, float]:
        """The surrogate that proposed an iteration's networks, and the seconds that it took."""
        rows = self._checked(ProposalRow, "proposals", "WHERE iteration = ? LIMIT 1", iteration)
        return (rows[0].surrogate, rows[0].seconds) if rows else (None, 0.0)

    def proposal_seconds(self, iteration: int) -> float:
        """The sum of the seconds of an iteration's networks, where each has its own."""
        return float(self._read("SELECT TOTAL(seconds) FROM proposals WHERE iteration = ?", iteration)[0][0])

    def evaluations(self) -> list[Evaluation]:
        """All rows in the order of the run."""
        finished = self.iterations()  # before the rows, because a search may be writing
        rows = self._checked(EvaluationRow, "evaluations", "ORDER BY number")
        if finished:
            known = sum(row.iteration <= finished[-1]["iteration"] for row in rows)
            if known != finished[-1]["evaluations"]:
                got = f"{self.path} is damaged: it has {known} of {finished[-1]['evaluations']:g} finished evaluations"
                raise BadInput(got, remedy=CURE)
        found = archive_rows.evaluations(self.path, rows, self._space, self._names)
        return archive_rows.with_finals(self.path, found, self._finals())

    def _finals(self) -> list[FinalRow]:
        known = archive_tables.names(archive_tables.schema_of(self._connection))
        return self._checked(FinalRow, "finals") if "finals" in known else []

    def iterations(self) -> list[dict[str, Any]]:
        """The figures of the finished iterations, in order."""
        rows = self._checked(IterationRow, "iterations", "ORDER BY iteration")
        if [row.iteration for row in rows] != list(range(len(rows))):
            raise BadInput(f"{self.path} is damaged: an iteration before the last one is missing", remedy=CURE)
        return [{"iteration": row.iteration, **row.figures} for row in rows]

    def _checked(self, kind: type[Row], table: str, rest: str = "", *values: Any) -> list[Row]:
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # all are dataclasses
        return archive_rows.checked(kind, self.path, table, names, self._raw(table, rest, *values))

    def _raw(self, table: str, rest: str = "", *values: Any) -> list[Sequence[Any]]:
        """The columns of a table's rows without their checksums, which are compared."""
        schema = archive_tables.schema_of(self._connection)
        columns = archive_tables.selected(table, schema)
        rows = self._read(f"SELECT {columns} FROM {table} {rest}", *values)  # noqa: S608  all of it our own words
        with_checksums = schema >= archive_tables.WITH_CHECKSUMS
        return list(archive_rows.unsealed(self.path, table, rows)) if with_checksums else rows

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
    """A new archive, made under another name and then renamed; BadInput if the file exists."""
    if path.exists():
        raise in_the_way(path.parent, "a run")
    path.parent.mkdir(parents=True, exist_ok=True)
    with translated(path), temporary.beside(path) as new:
        with closing(connect(new)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")  # nobody continues a file that was left behind
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id = {archive_tables.APPLICATION_ID}")
            archive_tables.make(connection)
            _insert(connection, "meta", [(name, json.dumps(value)) for name, value in meta.items()])
            connection.commit()
        new.replace(path)
        return Archive(path, writing(path))


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    whole = [sealed(table, row) for row in rows]
    if whole:
        places = ", ".join("?" * len(whole[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", whole)  # noqa: S608  the table is one of ours


def exists(path: Path) -> bool:
    """Whether there is one; a file in which nothing has been made is none, and can be written anew."""
    if not path.is_file():
        return False
    with translated(path):
        connection, copy = reading(path)
        try:
            return not archive_tables.is_empty(connection)
        finally:
            Archive(path, connection, copy=copy).close()


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
        opened = Archive(path, connection, write=write, copy=copy)
        try:
            archive_tables.check(path, connection)
        except BaseException:
            opened.close()
            raise
    return opened
