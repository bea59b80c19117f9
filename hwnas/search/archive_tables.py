"""The tables of an archive by schema, and what a file must be to be opened as one.

A file that somebody else may have sent can hold views, triggers and computed columns, which run when a table is read or
written. So an archive has the tables of its schema to the letter, and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from profilers.errors import BadInput, shown

APPLICATION_ID = 0x68776E61  # "hwna", in the file's header
SCHEMA = 3  # 1 had no `images`, 2 no checksums; they are read, and brought up to date where a run is continued
OLD_SCHEMAS = (1, 2)
WITH_CHECKSUMS = 3
LARGEST_ROW = 2**22  # bytes
CURE = "a copy of it, or a new run"
NAMES = ("meta", "proposals", "evaluations", "iterations", "finals")
_NEW = {"finals": 3}  # tables that came with a schema
_COLUMNS = {
    "meta": ("name TEXT PRIMARY KEY", "value TEXT NOT NULL"),
    "proposals": ("iteration INTEGER", "position INTEGER", "genes TEXT NOT NULL", "predicted REAL", "std REAL",
                  "surrogate TEXT", "seconds REAL NOT NULL"),
    "evaluations": ("number INTEGER PRIMARY KEY", "iteration INTEGER NOT NULL", "id TEXT NOT NULL UNIQUE",
                    "status TEXT NOT NULL", "arch TEXT NOT NULL", "genes TEXT NOT NULL", "objectives TEXT NOT NULL",
                    "error TEXT", "seconds REAL NOT NULL", "images INTEGER"),
    "iterations": ("iteration INTEGER PRIMARY KEY", "figures TEXT NOT NULL"),
    "finals": ("number INTEGER PRIMARY KEY", "top1 REAL", "error TEXT", "seconds REAL NOT NULL", "images INTEGER"),
}  # fmt: skip
_KEYS = {"proposals": ("PRIMARY KEY (iteration, position)",)}
_SINCE = {"images INTEGER": 2}


def names(schema: int) -> list[str]:
    """The tables."""
    return [name for name in NAMES if _NEW.get(name, 1) <= schema]


def columns(table: str, schema: int) -> list[str]:
    """The columns of a table with their types."""
    return [column for column in _COLUMNS[table] if _SINCE.get(column, 1) <= schema]


def selected(table: str, schema: int) -> str:
    """What is read of a table: today's columns, NULL for those that the schema lacks, then the checksums."""
    known = columns(table, schema)
    names = [column.split()[0] if column in known else "NULL" for column in _COLUMNS[table]]
    return ", ".join([*names, *(["checksum"] if schema >= WITH_CHECKSUMS else [])])


def statements(schema: int = SCHEMA) -> dict[str, str]:
    """What makes each table."""
    checked = ("checksum TEXT NOT NULL",) if schema >= WITH_CHECKSUMS else ()
    bodies = {name: ", ".join([*columns(name, schema), *checked, *_KEYS.get(name, ())]) for name in names(schema)}
    return {name: f"CREATE TABLE {name} ({body}) STRICT" for name, body in bodies.items()}


def make(connection: sqlite3.Connection) -> None:
    """The tables of today, in the transaction that is open."""
    for statement in (*statements().values(), f"PRAGMA user_version = {SCHEMA}"):
        connection.execute(statement)


def schema_of(connection: sqlite3.Connection) -> int:
    """The number that the file has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing has been made in the file: what was killed while it made an archive left it so, once."""
    return not _application(connection) and not connection.execute("SELECT 1 FROM sqlite_master").fetchall()


def check(path: Path, connection: sqlite3.Connection) -> None:
    """Make the connection careful; BadInput unless the file is a whole archive."""
    connection.execute("PRAGMA trusted_schema = 0")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_ROW)
    connection.text_factory = _text
    if _application(connection) != APPLICATION_ID:
        raise BadInput(f"{path} is a database, but not an archive of hwnas", "the archive.sqlite of a run")
    if (schema := schema_of(connection)) not in (*OLD_SCHEMAS, SCHEMA):
        known = ", ".join(map(str, OLD_SCHEMAS))
        raise BadInput(
            f"{path} has schema {schema}", f"schema {known} or {SCHEMA}", "the version of hwnas that wrote it"
        )
    _check_objects(path, connection, schema)
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise BadInput(f"{path} is damaged: {found}", remedy=CURE)


def _application(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def _check_objects(path: Path, connection: sqlite3.Connection, schema: int) -> None:
    wanted = {name: _words(statement) for name, statement in statements(schema).items()}
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    for kind, name, table, statement in found:
        own_index = kind == "index" and statement is None and table in wanted
        own_table = kind == "table" and _words(str(statement)) == wanted.get(str(name))
        if not (own_index or own_table or str(name).startswith("sqlite_stat")):
            raise BadInput(f"{path} holds a {shown(kind)[1:-1]} {shown(name)} that hwnas has not made", remedy=CURE)
    if lacking := wanted.keys() - {name for _, name, _, _ in found}:
        raise BadInput(f"{path} is damaged: it has no table {', '.join(sorted(lacking))}", remedy=CURE)


def _words(statement: str) -> Sequence[str]:
    return statement.split()


def _text(data: bytes) -> str:
    """What is no UTF-8 stays text, and is refused with its row."""
    return data.decode("utf-8", "surrogateescape")
