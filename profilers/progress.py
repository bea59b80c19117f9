"""What people see of long work, on stderr: one bar for all of it, with elapsed time and an estimate of the rest.

A protocol around rich's bar, so that those who report progress neither import rich nor depend on a terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TextIO

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from profilers.printable import printable
from profilers.terminal import Terminal

REDRAW_SECONDS = 0.2
LINE_SECONDS = 15.0  # between two plain lines where there is no terminal
_shared: ContextVar[RichProgress | None] = ContextVar("_shared", default=None)  # bars of several threads
_name: ContextVar[str] = ContextVar("_name", default="")  # of this thread's work


class Progress(Protocol):
    """What long work reports to."""

    def advance(self, amount: float = 1) -> None:
        """Another `amount` of the total is done."""

    def note(self, text: str) -> None:
        """Show `text` with the bar: what is being done, how well it goes."""

    def reduce_total(self, amount: float) -> None:
        """`amount` of the total turned out not to be needed."""


@contextmanager
def track(
    total: float, label: str, *, stream: TextIO | None = None, done: float = 0, seconds: float | None = None
) -> Iterator[Progress]:
    """Show a bar while the block runs; the block advances it.

    Args:
        total: amount of work, in units of the caller's.
        label: what is being done.
        stream: by default stderr. On a terminal a rich bar is shown, elsewhere (a log, a pipe) plain lines.
        done: part of `total` that an earlier, interrupted run did; it is shown, and left out of the estimate.
        seconds: least time between two updates, by default 0.2 on a terminal, 15 elsewhere.
    """
    stream, label = stream or sys.stderr, _named(label)
    if (shared := _shared.get()) is not None:
        yield _Bar(shared, total, label, done, REDRAW_SECONDS if seconds is None else seconds)
        shared.refresh()
        return
    if not stream.isatty():
        yield _Lines(total, label, stream, done, LINE_SECONDS if seconds is None else seconds)
        return
    with _rich(stream) as progress:
        yield _Bar(progress, total, label, done, REDRAW_SECONDS if seconds is None else seconds)
        progress.refresh()


def _rich(stream: TextIO) -> RichProgress:
    """A bar that is redrawn by hand: rich's refreshing thread would disturb what is being timed."""
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()
    texts = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[note]}", markup=False)
    return RichProgress(texts[0], *columns, texts[1], console=Terminal(stream), auto_refresh=False)


@contextmanager
def side_by_side(stream: TextIO | None = None) -> Iterator[None]:
    """Around threads that each work at something of their own: bars are drawn below each other, a line each.

    A thread takes part that is run in a copy of this context, and has called `work_at`.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        yield
        return
    with _rich(stream) as progress:
        before = _shared.set(progress)
        try:
            yield
        finally:
            _shared.reset(before)


def work_at(name: str) -> None:
    """What bars and lines of this thread begin with from now on."""
    _name.set(name)


def say(line: str) -> None:
    """One line for people, where bars are shown."""
    if (shared := _shared.get()) is not None:
        shared.console.print(printable(_named(line)), soft_wrap=True)
        return
    sys.stderr.write(f"{printable(_named(line))}\n")  # in one piece, whoever else writes
    sys.stderr.flush()


def _named(text: str) -> str:
    return f"{_name.get()}: {text}" if _name.get() else text


class _Bar:
    def __init__(self, progress: RichProgress, total: float, label: str, done: float, seconds: float) -> None:
        self.progress, self.seconds = progress, seconds
        self.task = progress.add_task(label, total=total, completed=round(done), note="")
        self.drawn, self.total = 0.0, total
        self.fraction = done - round(done)

    def advance(self, amount: float = 1) -> None:
        self.fraction += amount
        whole = int(self.fraction + 1e-9)  # rich shows counts as they are: whole ones only
        self.fraction -= whole
        self.progress.advance(self.task, whole)
        self.redraw()

    def note(self, text: str) -> None:
        self.progress.update(self.task, note=text)
        self.redraw()

    def reduce_total(self, amount: float) -> None:
        self.total -= amount
        self.progress.update(self.task, total=self.total)
        self.redraw()

    def redraw(self) -> None:
        if time.monotonic() - self.drawn >= self.seconds:
            self.progress.refresh()
            self.drawn = time.monotonic()


class _Lines:
    def __init__(self, total: float, label: str, stream: TextIO, done: float, seconds: float) -> None:
        self.total, self.label, self.stream, self.seconds = total, label, stream, seconds
        self.before = self.done = done
        self.text = ""
        self.started = self.printed = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.printed < self.seconds:
            return
        self.printed = now
        elapsed = now - self.started
        left = elapsed * (self.total - self.done) / max(self.done - self.before, 1e-9)
        note = f", {self.text}" if self.text else ""
        line = f"{self.label}: {self.done:.0f}/{self.total:.0f}, {elapsed:.0f} s, about {max(left, 0):.0f} s left{note}"
        self.stream.write(f"{printable(line)}\n")
        self.stream.flush()

    def note(self, text: str) -> None:
        self.text = text

    def reduce_total(self, amount: float) -> None:
        self.total -= amount
