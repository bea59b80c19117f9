"""Reading and writing files so that a crash, a full disk or a bad name never damages anything."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from profilers import temporary
from profilers.errors import BadInput, FileProblem

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to a temporary name beside `path`, flush it to disk, then rename.

    Raises:
        FileProblem: the operating system refused (full disk, no permission); `path` is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.beside(path) as new:
            with new.open("xb") as stream:  # with the permissions that the user's umask gives
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            new.replace(path)
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror or error}", remedy=_cure(error)) from error


def _cure(error: OSError) -> str:
    if error.errno == errno.EISDIR:
        return "the name of a file"
    return "free some space" if error.errno in _FULL else "choose a folder that can be written to"


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """`write_bytes` of strict JSON (NaN and infinity are refused)."""
    write_text(path, json.dumps(value, indent=indent, allow_nan=False) + "\n")


def check_writable(path: Path, remedy: str) -> None:
    """FileProblem where a file could not be written at `path` after work that takes long; nothing is made."""
    place = next(folder for folder in path.absolute().parents if folder.exists())
    if not os.access(place, os.W_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        why = "it is on a read-only file system" if read_only else "no permission"
        raise FileProblem(f"cannot write {path}: {why}", remedy=remedy)


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        FileProblem: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def check_readable(path: Path) -> None:
    """FileProblem, as of `read_bytes`, if a file cannot be read; nothing of it is."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> FileProblem:
    return FileProblem(f"cannot read {path}: {error.strerror or error}", remedy="check the path")


def read_text(path: Path) -> str:
    """The whole file as UTF-8, without the byte order mark that some editors write; BadInput if it is not text."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start})") from error


def parse_json(text: str, what: str) -> Any:
    """Strict JSON: no NaN, no infinity, no duplicate keys; `what` names the source in the error."""
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{what} is not valid JSON: {error}") from error


def read_json(path: Path) -> Any:
    """`parse_json` of a file."""
    return parse_json(read_text(path), str(path))


def sha256(data: bytes) -> str:
    """As hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def inside(folder: Path, name: str) -> Path:
    """`folder / name`, refused if it leads out of the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BadInput(f"the file name {name!r} leads out of {folder}", "a name inside the folder")
    return path


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object repeats a key")
    return result
