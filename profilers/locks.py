"""One process at a time: an advisory lock on a file, which dies with its process and is removed by it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from profilers.errors import FileProblem
from profilers.progress import say

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class Busy(Exception):
    """Another process holds the lock."""


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
            raise Busy(str(path)) from error
        except BaseException:
            handle.close()
            raise
        if _is(handle, path):
            return handle
        handle.close()


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
