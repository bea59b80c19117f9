"""Loading models on all cores of the process at once, to be timed on the pinned ones.

    core group  the cores that load one model at a time; as many as a model has threads

Loading is a large part of a table's time, and a model is as fast whichever group loaded it, once the threads that its
runtime started have been moved to the cores where it is timed (docs/measurement.md).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from profilers.session import Session
from profilers.timing.pinning import TASKS, each, move, threads_of_process

Cores = tuple[int, ...]
ONE_GROUP: tuple[Cores, ...] = ((),)
MAX_GROUPS = 4  # each holds a model's memory several times over while it loads


def core_groups(cores: Cores, threads: int) -> tuple[Cores, ...]:
    """The pinned cores first; one group of no cores where the system cannot pin."""
    if not hasattr(os, "sched_setaffinity") or not TASKS.is_dir():
        return ONE_GROUP
    return tuple(cores[i * threads : (i + 1) * threads] for i in range(min(len(cores) // threads, MAX_GROUPS)))


def load_in_parallel(loads: Mapping[str, Callable[[], Session]], groups: Sequence[Cores]) -> dict[str, Session]:
    """Open sessions by name; begun in the order of `loads`. If one fails, all are closed and its error raised."""
    loading, before = _Loading(loads), threads_of_process()
    others = [threading.Thread(target=loading.work, args=(cores,), daemon=True) for cores in groups[1:]]
    for thread in others:
        thread.start()
    loading.work(())
    try:
        for thread in others:
            thread.join()
    except KeyboardInterrupt as interrupt:
        loading.errors.append(interrupt)  # the others stop after the model that they are at
    if others:
        move_threads_since(before, groups[0])
    return loading.result()


class _Loading:
    """What several threads load together."""

    def __init__(self, loads: Mapping[str, Callable[[], Session]]) -> None:
        self.order, self.waiting = list(loads), deque(loads.items())
        self.opened: dict[str, Session] = {}
        self.errors: list[BaseException] = []

    def work(self, cores: Cores) -> None:
        """Load until none is left, in a thread on these cores (wherever it is, if none)."""
        try:
            if cores:
                os.sched_setaffinity(0, cores)
            while not self.errors and (following := self.next()):
                name, load = following
                self.opened[name] = load()
        except BaseException as error:
            self.errors.append(error)
        finally:
            if self.errors:  # one that was begun before an interrupt is ready only now
                self.close()

    def close(self) -> None:
        """Close what is open; several threads may do it at once."""
        with suppress(KeyError):
            while True:
                self.opened.popitem()[1].close()

    def next(self) -> tuple[str, Callable[[], Session]] | None:
        with suppress(IndexError):
            return self.waiting.popleft()
        return None

    def result(self) -> dict[str, Session]:
        if not self.errors:
            return {name: self.opened[name] for name in self.order}
        self.close()
        raise self.errors[0]


def move_threads_since(before: set[int], cores: Cores) -> None:
    """Those that have begun since, to these cores."""
    for thread in each(lambda: threads_of_process() - before):
        move(thread, cores)
