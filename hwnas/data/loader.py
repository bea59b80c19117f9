"""Batches ahead of their use: images are read and decoded in threads while the network computes.

Pillow decodes and resizes without Python's global lock, so threads are enough and nothing is copied between processes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from profilers.errors import BadInput

if TYPE_CHECKING:
    from hwnas.data.dataset import Dataset

WORKERS = "HWNAS_WORKERS"
_MOST = 8  # threads without that variable
DEPTH = 2  # batches that are made ahead

T = TypeVar("T")
R = TypeVar("R")


class Plan(NamedTuple):
    """A batch to be made; `augment` is drawn from in another thread, plan by plan: nothing else may draw from it."""

    indices: NDArray[np.integer[Any]]
    resolution: int
    augment: np.random.Generator | None = None


def ahead(dataset: Dataset, split: str, plans: Iterable[Plan], depth: int = DEPTH) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of `plans`, in order; of a data set on disk up to `depth` are made in the background.

    `plans` is consumed in the caller's thread, `depth` further than the batches.
    """
    if not dataset.lazy:
        for plan in plans:
            yield dataset.batch(split, *plan)
        return
    waiting: deque[Future[tuple[Tensor, Tensor]]] = deque()
    with ThreadPoolExecutor(1, "batches") as pool:  # one: the images of a batch have threads of their own
        try:
            for plan in plans:
                waiting.append(pool.submit(dataset.batch, split, *plan))
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
