"""Threads that read and decode images while the network computes.

Pillow decodes and resizes without Python's global lock, so threads suffice. torch's DataLoader would start processes,
which load torch again and copy every batch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from profilers.errors import BadInput

WORKERS = "HWNAS_WORKERS"
_MOST = 8  # threads without that variable
DEPTH = 2  # results that are made ahead of their use

T = TypeVar("T")
R = TypeVar("R")


def prefetch(make: Callable[[T], R], requests: Iterable[T], depth: int = DEPTH) -> Iterator[R]:
    """`make` of each request, in order; up to `depth` results are made in the background before they are asked for.

    `requests` is consumed in the caller's thread. `make` runs in one other thread, one request after the other.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(1, "prefetch") as pool:  # one: the images of a batch have threads of their own
        try:
            for request in requests:
                waiting.append(pool.submit(make, request))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`map` in the threads that decode images: HWNAS_WORKERS, by default one a core, at most 8."""
    return _pool(os.getpid()).map(function, items)


def workers() -> int:
    """How many threads decode; BadInput if the variable is no positive number."""
    text = os.environ.get(WORKERS) or str(min(os.cpu_count() or 1, _MOST))
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise BadInput(f"{WORKERS}={text}", "1 to 256")
    return int(text)


@cache
def _pool(_: int) -> ThreadPoolExecutor:
    """One pool a process: threads do not survive a fork."""
    return ThreadPoolExecutor(workers(), "images")
