"""The cores of a test run.

Measuring code pins itself to the first core that it may use, so each worker of pytest-xdist gets a core of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar


class _InFile(Protocol):
    path: Path


Test = TypeVar("Test", bound=_InFile)
MOST_WORKERS = 8  # each holds torch and a few networks: about 1 GB
CAN_PIN = hasattr(os, "sched_setaffinity")
ALL = tuple(sorted(os.sched_getaffinity(0))) if CAN_PIN else tuple(range(os.cpu_count() or 1))


def own_core(worker: str | None) -> set[int]:
    """The cores of the worker `gw0`, `gw1`, …; all of them without pytest-xdist."""
    return {ALL[int(worker.removeprefix("gw")) % len(ALL)]} if worker else set(ALL)


def slow_first(tests: Sequence[Test], slow: Sequence[bool], workers: int) -> list[Test]:
    """The order in which every worker's equal share (`--dist worksteal`) begins with files that have slow tests.

    What is left for the others to steal is quick then, so that all end together. A file stays whole, for its fixtures.
    """
    files: dict[Path, list[int]] = {}
    for i, test in enumerate(tests):
        files.setdefault(test.path, []).append(i)
    dear = sorted(files.values(), key=lambda file: -sum(slow[i] for i in file))
    first = [file for file in dear if any(slow[i] for i in file)]
    rest = [i for file in files.values() if file not in first for i in file]
    order: list[int] = []
    for k in range(workers):
        share = [i for file in first[k::workers] for i in file]
        missing = (len(tests) - len(order)) // (workers - k) - len(share)
        order += share + rest[: max(missing, 0)]
        rest = rest[max(missing, 0) :]
    return [tests[i] for i in order + rest]


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
