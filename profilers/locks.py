"""One process at a time: an advisory lock on a file, which dies with its process and is removed by it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from profilers.errors import BadInput, FileProblem
from profilers.progress import say

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class Busy(Exception):
    """Another process holds the lock; the text says which."""


@contextmanager
def alone(out: Path, doing: str, elsewhere: str = "another --out") -> Iterator[None]:
    """Around work that writes `out`, a file or folder, in one process at a time.

    The lock lies hidden beside `out`; folders that are made for it are removed again where they stay empty. Without the
    right to write there, what is there can still be looked at.

    Args:
        out: what is written.
        doing: as in "is building".
        elsewhere: how the same command writes to another place.

    Raises:
        BadInput: another process holds it.
        FileProblem: the lock cannot be made.
    """
    place = out.absolute().parent
    if out.exists() and not os.access(place, os.W_OK):
        yield
        return
    with ExitStack() as stack:
        stack.enter_context(made(place))
        try:
            stack.enter_context(locked(place / f".{out.name}.lock"))
        except Busy as busy:
            raise BadInput(f"{busy} {doing} {out}", "one at a time", f"wait for it, or {elsewhere}") from busy
        yield


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder; it and its parents are removed at the end where they are new and empty."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileProblem(f"cannot write {folder}: {error.strerror or error}", remedy="another folder") from error
        yield
    finally:
        with suppress(OSError):
            for path in new:  # the innermost is the first
                path.rmdir()


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock of the file `path`, which is made for it.

    Where the file system has no locks that is said, and the work goes on without one.

    Args:
        path: the lock's own file.
        wait: for another process to end.

    Raises:
        Busy: another process holds it, and not `wait`.
        FileProblem: the file cannot be made.
    """
    handle = _taken(path, wait)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # while it is held: whoever opened it meanwhile sees that it is gone, and makes a new one
        handle.close()


def _taken(path: Path, wait: bool) -> IO[bytes]:
    while True:
        handle = _opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno in _NO_LOCKS:
                say(f"{path.parent} is on a file system without locks ({error.strerror}): use it in one process only")
                return handle
            handle.close()
            raise Busy(_holder(path)) from error
        except BaseException:
            handle.close()
            raise
        if _is(handle, path):
            with suppress(OSError):  # a full disk: the lock holds without a name
                handle.write(f"\n{os.getpid()} {os.uname().nodename}".encode())
                handle.flush()
            return handle
        handle.close()


def _holder(path: Path) -> str:
    """Who has said in the lock's file that it holds it."""
    with suppress(OSError, ValueError):
        pid, _, machine = path.read_bytes()[-300:].decode().rpartition("\n")[2].partition(" ")
        if pid.isdecimal():
            return f"process {pid}" + (f" on {machine}" if machine != os.uname().nodename else "")
    return "another process"


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("ab")
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror or error}", remedy="another folder") from error


def _is(handle: IO[bytes], path: Path) -> bool:
    """Whether the path still leads to the file that was opened."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    return False
