"""Pinning to cores: threads that a runtime starts inherit the affinity of the thread that loads the model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from profilers.errors import BadInput


def allowed_cores() -> tuple[int, ...]:
    """The cores that this process may run on, in order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


@contextmanager
def pin(threads: int) -> Iterator[tuple[int, ...]]:
    """Keep this thread, and all that it starts, on the first `threads` allowed cores; restored afterwards.

    Load and time the models inside. On a system that cannot pin, nothing happens.

    Raises:
        BadInput: more threads than cores are allowed.
    """
    cores = allowed_cores()
    if not 1 <= threads <= len(cores):
        raise BadInput(f"{threads} threads", f"1 to {len(cores)}, the cores that this process may use")
    if not hasattr(os, "sched_setaffinity"):
        yield cores
        return
    os.sched_setaffinity(0, cores[:threads])
    try:
        yield cores[:threads]
    finally:
        os.sched_setaffinity(0, cores)
