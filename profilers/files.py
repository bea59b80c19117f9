"""Reading and writing files so that a crash, a full disk or a bad name never damages anything."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from profilers import limits, temporary
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
    """`write_bytes` of UTF-8 text; BadInput where a name in it is not Unicode."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        got = f"{path} would hold {text[max(error.start - 20, 0) : error.end + 20]}"
        raise BadInput(got, "text in Unicode", "another name") from error
    write_bytes(path, data)


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


def read_bytes(path: Path, most: int = limits.FILE_BYTES) -> bytes:
    """The whole file.

    Raises:
        FileProblem: it is missing, cannot be read, or is a pipe or a device.
        BadInput: it has more than `most` bytes.
    """
    try:
        with _opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            data = stream.read() if size else b"".join(_pieces(stream, most))
    except OSError as error:
        raise _unreadable(path, error) from error
    if max(size, len(data)) > most:
        raise BadInput(f"{path} has {max(size, len(data)):,} bytes", f"at most {most:,}")
    return data


def _pieces(stream: IO[bytes], most: int) -> Iterator[bytes]:
    """Of a stream without a size, a little more than `most` bytes."""
    taken = 0
    while taken <= most and (piece := stream.read(1 << 20)):
        taken += len(piece)
        yield piece


def check_readable(path: Path) -> None:
    """FileProblem, as of `read_bytes`, if a file cannot be read; nothing of it is."""
    try:
        _opened(path).close()
    except OSError as error:
        raise _unreadable(path, error) from error


def _opened(path: Path) -> IO[bytes]:
    """The open file; a named pipe would wait for ever, and a device never end. The shell's own pipes are taken."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    kind = os.fstat(number).st_mode
    of_shell = str(path.absolute()).startswith(("/dev/fd/", "/dev/stdin", "/proc/self/fd/"))
    if not (stat.S_ISREG(kind) or (of_shell and not stat.S_ISDIR(kind))):
        os.close(number)
        code = errno.EISDIR if stat.S_ISDIR(kind) else errno.EINVAL
        raise OSError(code, os.strerror(code) if code == errno.EISDIR else "a pipe, a socket or a device")
    os.set_blocking(number, True)
    return os.fdopen(number, "rb")


def _unreadable(path: Path, error: OSError) -> FileProblem:
    return FileProblem(f"cannot read {path}: {error.strerror or error}", remedy="check the path")


def read_text(path: Path) -> str:
    """The whole file as UTF-8, without the byte order mark that some editors write; BadInput if it is not text."""
    try:
        return read_bytes(path, limits.TEXT_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text (byte {error.start})") from error


def parse_json(text: str, what: str) -> Any:
    """Strict JSON: finite numbers, no duplicate keys, `profilers.limits`; `what` names the source in the error."""
    try:
        value = (_STRICT_LONG if _LONG.search(text) else _STRICT).decode(text)
        if text.count("[") + text.count("{") > limits.JSON_LEVELS:
            _check_levels(value)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{what} is not valid JSON: {error}") from error
    return value


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


_LONG = re.compile(f"[0-9]{{{limits.JSON_DIGITS}}}")
_NESTED = frozenset((dict, list))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _int(text: str) -> int:
    if len(text) > limits.JSON_DIGITS:
        raise ValueError(f"a number of {len(text)} digits, where {limits.JSON_DIGITS} are allowed")
    return int(text)


def _check_levels(value: Any) -> None:
    level = [value]
    for _ in range(limits.JSON_LEVELS + 1):
        inner = [x for x in level if type(x) in _NESTED]
        if not inner:
            return
        level = [child for x in inner for child in (x.values() if isinstance(x, dict) else x)]
    raise ValueError(f"more than {limits.JSON_LEVELS} lists and objects inside each other")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object repeats a key")
    return result


_HOOKS: dict[str, Any] = {
    "parse_constant": _no_constant,
    "parse_float": _float,
    "object_pairs_hook": _no_duplicates,
}
_STRICT = json.JSONDecoder(**_HOOKS)
_STRICT_LONG = json.JSONDecoder(**_HOOKS, parse_int=_int)  # asked about each number, it takes half of the time
