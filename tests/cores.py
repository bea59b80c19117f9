"""The cores of a test run.

Measuring code pins itself to the first core that it may use, so each worker of pytest-xdist gets a core of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

MOST_WORKERS = 8  # each holds torch and a few networks: about 1 GB
CAN_PIN = hasattr(os, "sched_setaffinity")
ALL = tuple(sorted(os.sched_getaffinity(0))) if CAN_PIN else tuple(range(os.cpu_count() or 1))


def own_core(worker: str | None) -> set[int]:
    """The cores of the worker `gw0`, `gw1`, …; all of them without pytest-xdist."""
    return {ALL[int(worker.removeprefix("gw")) % len(ALL)]} if worker else set(ALL)


@contextmanager
def all_cores() -> Iterator[None]:
    """Let this thread use every core for a while."""
    if not CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ALL)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
