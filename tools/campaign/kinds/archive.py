"""`archive.sqlite` of a run: its bytes, its rows, and its structure."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from tools.campaign.case import Case, Kind
from tools.campaign.kinds import _runs
from tools.campaign.mutations import HOSTILE, Raw, as_json, of_bytes, of_tree

RIGHT = "right.jsonl"  # what `hwnas archive` prints of the run as it was
READERS = {("select", "run"): 12, ("insights", "run", "--json"): 4, ("report", "run", "--out", "report.html"): 1}
OTHER_OBJECTS = (
    "DROP TABLE {table}; CREATE VIEW {table} AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
    "SELECT x AS {columns} FROM n",
    "ALTER TABLE {table} RENAME TO kept; CREATE VIEW {table} AS SELECT * FROM kept",
    "CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM meta; END",
    "CREATE TABLE other (x)", "CREATE VIEW other AS SELECT 1", "CREATE INDEX other ON {table} ({column})",
    "CREATE VIRTUAL TABLE other USING fts5(x)", "ALTER TABLE {table} ADD COLUMN other TEXT",
    "ALTER TABLE {table} DROP COLUMN {column}", "DROP TABLE {table}",
    "ALTER TABLE {table} RENAME COLUMN {column} TO other", "ALTER TABLE {table} RENAME TO other", "DELETE FROM {table}",
    "CREATE TABLE other AS SELECT * FROM {table}; DROP TABLE {table}; ALTER TABLE other RENAME TO {table}",
    "PRAGMA user_version = 0", "PRAGMA user_version = 1", "PRAGMA user_version = 2", "PRAGMA user_version = 99",
    "PRAGMA application_id = 1", "PRAGMA encoding = 'UTF-16'; VACUUM",
    "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = 'CREATE TABLE {table} (x, y)' WHERE name = '{table}'",
    "PRAGMA writable_schema = 1; UPDATE sqlite_master SET rootpage = 2 WHERE name = '{table}'",
    "PRAGMA writable_schema = 1; DELETE FROM sqlite_master WHERE name = '{table}'",
)  # fmt: skip


def _prepare(folder: Path) -> None:
    run = _runs.searched(folder)
    (folder / RIGHT).write_text(_runs.must("archive", str(run)).out)


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    shutil.copytree(prepared / "run", here / "run")
    path = here / "run" / "archive.sqlite"
    change = random.choice((_bytes, _rows, _rows, _rows, _json, _json, _json, _structure))
    what = change(random, path)
    right = (prepared / RIGHT).read_text()
    readers = READERS | {("search", str(prepared / "search.toml"), "--out", "run"): 1}
    (other,) = random.choices(list(readers), list(readers.values()))
    return Case(what, (("archive", "run"), other), lambda i, out: rows_differ(i, out, right))


def rows_differ(number: int, output: str, right: str) -> str:
    """A row is as it was, or not there, as in a run that was interrupted."""
    if number:
        return ""
    kept = set(right.splitlines())
    other = [line for line in output.splitlines() if line not in kept]
    return f"{len(other)} rows differ: {other[0][:200]}" if other else ""


def _bytes(random: Random, path: Path) -> str:
    what, data = of_bytes(random, path.read_bytes())
    path.write_bytes(data)
    return what


def _rows(random: Random, path: Path) -> str:
    """A value of a row, of any type that SQLite has."""
    with closing(sqlite3.connect(path)) as connection:
        table, column, row = _place(random, connection)
        value = random.choice(
            [x for x in HOSTILE if x is None or isinstance(x, int | float | str)] + [b"\xff\0", 2**62]
        )
        try:
            with connection:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (_stored(value), row))
        except (sqlite3.Error, OverflowError, UnicodeError) as error:  # STRICT tables refuse some
            return f"{table}.{column} kept: {error}"
    return f"{table}.{column} of row {row} = {value!a:.60}"


def _stored(value: Any) -> Any:
    return (
        value.encode("utf-8", "surrogatepass").decode("latin-1")
        if isinstance(value, str) and "\ud800" in value
        else value
    )


def _json(random: Random, path: Path) -> str:
    """Inside a value that is JSON."""
    with closing(sqlite3.connect(path)) as connection:
        table, column = random.choice(
            (("evaluations", "arch"), ("evaluations", "genes"), ("evaluations", "objectives"), ("proposals", "genes"),
             ("meta", "value"), ("iterations", "figures"))
        )  # fmt: skip
        row, text = random.choice(connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall())
        what, tree = of_tree(random, json.loads(text), HOSTILE, 2)
        text = tree.text if isinstance(tree, Raw) else as_json(tree).decode()
        with connection:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (text, row))
    return f"{table}.{column} of row {row}: {what}"


def _structure(random: Random, path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        table, column, _ = _place(random, connection)
        columns = ", x AS ".join(_columns(connection, table))
        statements = random.choice(OTHER_OBJECTS).format(table=table, column=column, columns=columns)
        try:
            connection.executescript(statements)
        except sqlite3.Error as error:
            return f"{statements[:60]} kept: {error}"
    return statements


def _place(random: Random, connection: sqlite3.Connection) -> tuple[str, str, int]:
    table = random.choice(("evaluations", "evaluations", "proposals", "iterations", "meta"))
    row = random.choice(connection.execute(f"SELECT rowid FROM {table}").fetchall())[0]
    return table, random.choice(_columns(connection, table)), row


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


KIND = Kind("archive", "archive.sqlite, bytes, rows and structure", _prepare, _mutate, short=15)
