"""What people see of long work, on stderr: one bar for all of it, with elapsed time and an estimate of the rest.

A protocol around rich's bar, so that those who report progress neither import rich nor depend on a terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TextIO

from rich.cells import cell_len
from rich.console import RenderableType
from rich.progress import Progress as RichProgress
from rich.progress import Task
from rich.text import Text

from profilers.printable import printable
from profilers.terminal import Terminal

REDRAW_SECONDS = 0.2
LINE_SECONDS = 60.0  # between two plain lines where there is no terminal
BAR = 10, 40  # characters: below the former it is left out
_shared: ContextVar[RichProgress | None] = ContextVar("_shared", default=None)  # bars of several threads
_name: ContextVar[str] = ContextVar("_name", default="")  # of this thread's work


class Progress(Protocol):
    """What long work reports to."""

    def advance(self, amount: float = 1) -> None:
        """Another `amount` of the total is done."""

    def note(self, text: str) -> None:
        """Show `text` below the bar: what is being done, how well it goes."""

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
        seconds: least time between two updates, by default 0.2 on a terminal, 60 elsewhere.
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
    return _Drawn(Terminal(stream))


class _Drawn(RichProgress):
    """Bars whose counts and times are never cut: on a narrow terminal it is the label, and then there is no bar."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal  # rich draws before it has set its own
        super().__init__(console=terminal, auto_refresh=False)

    def get_renderables(self) -> Iterable[RenderableType]:
        """A line for each bar, and one for its note."""
        width = self.terminal.width
        label = max((cell_len(printable(task.description)) for task in self.tasks), default=0)
        for task in self.tasks:
            yield _line(task, label, width)
            if note := task.fields["note"]:
                yield Text(f"  {printable(note)}", style="dim", no_wrap=True, overflow="ellipsis")


def _line(task: Task, label: int, width: int) -> Text:
    """One bar: its label, padded to `label` characters, the bar, count, elapsed and remaining time."""
    count = f"{task.completed:.0f}/{task.total or 0:.0f}"
    numbers = f" {count} {_clock(task.elapsed)} left {_clock(task.time_remaining)}"
    label = max(min(label, width - len(numbers)), 0)
    name = Text(printable(task.description))
    name.truncate(label, overflow="ellipsis", pad=True)
    room = min(width - label - len(numbers) - 1, BAR[1])
    bar = _bar(task.percentage, room) if room >= BAR[0] else Text()
    return Text.assemble(name, bar, numbers, no_wrap=True, overflow="crop")


def _bar(percent: float, room: int) -> Text:
    done = int(room * percent / 100)
    return Text.assemble(" ", ("━" * done, "cyan"), ("─" * (room - done), "dim"))


def _clock(seconds: float | None) -> str:
    """Hours, minutes and seconds; nothing is known before the first step is done."""
    if seconds is None:
        return "-:--:--"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


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
