"""What other people's code prints belongs on stderr: stdout is for results, which programs read."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress


@contextmanager
def to_stderr() -> Iterator[None]:
    """Whatever the block prints, from Python, C or a process that it starts, goes to stderr."""
    _flush()
    kept = _taken()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _flush()
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _taken() -> int | None:
    """A copy of stdout's descriptor, which then leads to stderr; None where one of them is closed."""
    with suppress(OSError):
        kept = os.dup(1)
        try:
            os.dup2(2, 1)
        except OSError:
            os.close(kept)
            raise
        return kept
    return None


def _flush() -> None:
    with suppress(AttributeError, OSError, ValueError):  # there is none, or it is closed
        sys.stdout.flush()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)  # what C has buffered
