"""Ctrl-C and SIGTERM: both end a command by the same way out, on which everything is cleaned up.

What an interruption leaves is noted on the exception (PEP 678) by the work that was interrupted: whoever calls from
Python reads it below the traceback, the command line makes one line of it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTHING = "nothing of it is kept"
LISTENING_SECONDS = 0.5  # at most in one wait: Python sees a signal that comes just before a wait only after it

T = TypeVar("T")


class Terminated(KeyboardInterrupt):
    """SIGTERM, which is taken as Ctrl-C is."""


@contextmanager
def leaving(kept: Callable[[], str]) -> Iterator[None]:
    """Around long work: what is `kept` of it where it is interrupted, as in "3 steps are kept in FILE"; "" for nothing.

    Of several around each other the outermost says it.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.__notes__ = [kept() or NOTHING]
        raise


def counted(number: int, what: str) -> str:
    """As in "1 step is" and "2 steps are"."""
    return f"{number} {what} is" if number == 1 else f"{number} {what}s are"


def notes(interrupt: BaseException) -> str:
    """What was noted of what is kept, "" where nobody said."""
    return "; ".join(getattr(interrupt, "__notes__", []))


def line(interrupt: KeyboardInterrupt, again: str, same: str = "the same command") -> str:
    """One line for people; `again` is the command that goes on, `same` the one that was interrupted."""
    kept, word = notes(interrupt), "terminated" if isinstance(interrupt, Terminated) else "interrupted"
    if not kept:
        return f"{word}; try: {same} again"
    return f"{word}; {kept}; {same} begins anew" if kept == NOTHING else f"{word}; {kept}; {again} goes on"


def code(interrupt: KeyboardInterrupt) -> int:
    """The exit code that shells know."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


def first_done(futures: Collection[Future[T]]) -> tuple[set[Future[T]], set[Future[T]]]:
    """Those of some futures that are done, one or more, and the others, with every signal heard meanwhile."""
    while True:
        done, others = wait(futures, LISTENING_SECONDS, FIRST_COMPLETED)
        if done or not futures:
            return done, others


def as_done(futures: Collection[Future[T]]) -> Iterator[Future[T]]:
    """As `concurrent.futures.as_completed`, with every signal heard meanwhile."""
    done: SimpleQueue[Future[T]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(done.put)
    left = len(futures)
    while left:
        try:
            yield done.get(timeout=LISTENING_SECONDS)
            left -= 1
        except Empty:
            continue


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` while the block runs; not in other threads than the main one, nor where ignored."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def own_signals() -> Iterator[None]:
    """Both signals are taken as before once the block is over, whatever it does with them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextmanager
def deaf() -> Iterator[None]:
    """Neither signal is taken while the block runs, which cleans up."""
    with own_signals():
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
        yield


def _terminate(number: int, frame: object) -> None:
    raise Terminated
