"""How an archive's file is opened: to write, or only to read, on file systems of all kinds."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from profilers import temporary
from profilers.errors import BadInput, FileProblem
from profilers.progress import say

_TRIES, _PAUSE = 20, 0.05  # of a copy, s between two
_NOT_HERE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL)


def connect(path: Path | str, uri: bool = False) -> sqlite3.Connection:
    """Without a limit to one thread: `ask_tell` has a lock of its own."""
    return sqlite3.connect(path, uri=uri, check_same_thread=False)


def writing(path: Path) -> sqlite3.Connection:
    """A connection that writes; where the file system cannot have a WAL (many networks'), with a rollback journal."""
    connection = connect(path)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("BEGIN IMMEDIATE")  # the first to need the memory that processes share
        connection.rollback()
    except sqlite3.OperationalError as error:
        connection.close()
        connection, mode = _without_wal(path), str(error)
    except BaseException:
        connection.close()
        raise
    if mode != "wal":
        say(f"{path.parent} is on a file system on which SQLite cannot have a WAL ({mode}): reading waits for writing")
    return connection


def _without_wal(path: Path) -> sqlite3.Connection:
    """What a WAL still holds is taken over; for that SQLite needs the file alone, and no memory shared by processes."""
    alone = ("PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = DELETE", "PRAGMA locking_mode = NORMAL")
    return _after(path, *alone)


def _query_only(path: Path) -> sqlite3.Connection:
    return _after(path, "PRAGMA query_only = 1")


def _after(path: Path, *pragmas: str) -> sqlite3.Connection:
    """A connection with these settings that can read the file; closed where it cannot."""
    connection = connect(path)
    try:
        for statement in (*pragmas, "SELECT COUNT(*) FROM sqlite_master"):
            connection.execute(statement).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def reading(path: Path) -> tuple[sqlite3.Connection, TemporaryDirectory[str] | None]:
    """A connection that only reads, and the folder of the copy that it reads, if any.

    SQLite's WAL wants files beside the database even to read it. Where they cannot be made, or not be shared, the
    database is read as it lies, or with its unfinished WAL from a copy.
    """
    try:
        return _query_only(path), None
    except sqlite3.OperationalError as error:
        if _kind(error) not in _NOT_HERE:
            raise
    wal = path.with_name(f"{path.name}-wal")
    if not wal.is_file() or not wal.stat().st_size:
        return connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True), None
    folder = temporary.scratch("archive")
    for part in (path, wal):
        shutil.copyfile(part, Path(folder.name) / part.name)
    return connect(Path(folder.name) / path.name), folder


def snapshot(path: Path, folder: Path) -> Path:
    """A copy of a database into a folder, with its unfinished WAL or journal, while another process writes it.

    SQLite's own locks and shared memory do not reach a process on another machine; a copy needs neither. It is taken
    again until nothing has changed meanwhile.

    Raises:
        FileProblem: the file cannot be read, or does not rest.
    """
    parts = [path, *(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-journal"))]
    for _ in range(_TRIES):
        before = [_stamp(part) for part in parts]
        for part, stamp in zip(parts, before, strict=True):
            (folder / part.name).unlink(missing_ok=True)
            if stamp is not None:
                with suppress(FileNotFoundError):  # it has just ended; the stamps will differ
                    shutil.copyfile(part, folder / part.name)
        if before == [_stamp(part) for part in parts]:
            return folder / path.name
        time.sleep(_PAUSE)
    raise FileProblem(f"{path} changes faster than it can be copied", remedy="again in a moment")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as this product's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise FileProblem(f"cannot use {path}: {error}", remedy=_cure(error)) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter where SQLite quotes what is damaged
        raise BadInput(f"{path} is damaged or not an archive: {error}", remedy="a copy of it, or a new run") from error


def _kind(error: sqlite3.OperationalError) -> int:
    """SQLite's primary code."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CANTOPEN)) & 0xFF


def _cure(error: sqlite3.OperationalError) -> str:
    match _kind(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "end the other process, or wait for it"
        case sqlite3.SQLITE_FULL:
            return "free some space"
    return "a folder that can be written to, on another file system"
