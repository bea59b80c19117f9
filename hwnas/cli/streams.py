"""A command's standard streams where the shell gave it odd ones: closed, full, without a reader."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from profilers.errors import FileProblem
from profilers.printable import printable_lines

# typer has click's classes inside, or from click itself, by its version
_Usage: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


@contextmanager
def held() -> Iterator[None]:
    """Around a whole command: output is written before it ends, or it is said why not (FileProblem)."""
    for number, (name, mode) in enumerate(_STREAMS):
        _open(number, name, mode)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not of UTF-8 lacks some letters
    try:
        yield
    finally:
        _flush()


def reader_left() -> bool:
    """Whether whoever read stdout or stderr has gone, as `| head -1` does; what is written from now on is dropped."""
    gone = [number for number in (1, 2) if _broken(number)]
    for number in gone:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
    return bool(gone)


@contextmanager
def plain_usage() -> Iterator[None]:
    """What the parser of the command line says of an argument has no control characters."""
    try:
        yield
    except _Usage as error:
        error.message = printable_lines(error.message)
        raise


def _open(number: int, name: str, mode: str) -> None:
    """A closed one becomes the null device, or the next file that is opened would get its number, and the output."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
        os.set_inheritable(number, True)
    if getattr(sys, name) is None:
        setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _broken(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        reader_left()
    except OSError as error:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)  # or Python tries again when it ends, and says so in lines of its own
        raise FileProblem(f"cannot write the output: {error.strerror or error}", remedy="free some space") from error
