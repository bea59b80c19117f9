"""Pinning to cores.

Threads that a runtime starts when it loads a model inherit the affinity of the thread that loads it. Those that help
it in a run may not: a pool that all models share has its threads since an earlier model, or begins them with the
affinity that the process had first (oneTBB). `gather` brings them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from profilers.errors import BadInput

TASKS = Path("/proc/self/task")
_free: list[tuple[int, ...]] = []  # the cores of a thread before each `pin` that holds now


def allowed_cores() -> tuple[int, ...]:
    """The cores that this process may run on, in order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


@contextmanager
def pin(threads: int) -> Iterator[tuple[int, ...]]:
    """Keep this thread, and all that it starts, on the first `threads` allowed cores; restored afterwards.

    Load and time the models inside. Afterwards threads of runtimes that were there before are where they were, and the
    others on all allowed cores. On a system that cannot pin, nothing happens.

    Raises:
        BadInput: more threads than cores are allowed.
    """
    cores = allowed_cores()
    if not 1 <= threads <= len(cores):
        raise BadInput(f"{threads} threads", f"1 to {len(cores)}, the cores that this process may use")
    if not hasattr(os, "sched_setaffinity"):
        yield cores
        return
    before = {thread: affinity(thread) for thread in helpers()}
    os.sched_setaffinity(0, cores[:threads])
    _free.append(cores)
    try:
        yield cores[:threads]
    finally:
        _free.pop()
        os.sched_setaffinity(0, cores)
        for thread in each(helpers):
            move(thread, before.get(thread) or cores)


@contextmanager
def unpinned() -> Iterator[None]:
    """Let this thread use all cores that it had before it was pinned.

    For what a runtime learns once and keeps: OpenVINO first asked on one core never uses a second one.
    """
    if not _free:
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _free[0])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def gather() -> None:
    """Bring all threads of runtimes to the cores where this thread is pinned, if it is."""
    if _free:
        pinned = os.sched_getaffinity(0)
        for thread in each(helpers):
            move(thread, pinned)


def each(listed: Callable[[], set[int]]) -> Iterator[int]:
    """The threads that are listed, to be moved one by one; listed again until none is new.

    The system's list leaves out some while others end, and one that is not yet moved may begin more.
    """
    known: set[int] = set()
    while found := listed() - known:
        known |= found
        yield from found


def helpers() -> set[int]:
    """Threads of this process that Python has not started: those of runtimes."""
    return threads_of_process() - {thread.native_id or 0 for thread in threading.enumerate()}


def threads_of_process() -> set[int]:
    """All of this process; none where the system does not say."""
    return {int(task.name) for task in TASKS.iterdir()} if TASKS.is_dir() else set()


def move(thread: int, cores: Collection[int]) -> None:
    """A thread to these cores."""
    with suppress(OSError):  # it has ended
        os.sched_setaffinity(thread, cores)


def affinity(thread: int) -> set[int]:
    """The cores of a thread; none of one that has ended."""
    with suppress(OSError):
        return os.sched_getaffinity(thread)
    return set()
