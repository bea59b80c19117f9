"""The disturbance of the state `interrupted`: it evicts the model from the processor's caches.

A buffer as large as the last-level cache is read and written once, by as many threads as the model has. The model's
data is then mostly evicted, as it is in an application that classifies one picture now and then. A virtual machine may
share the last-level cache with others and be unable to fill it, so at most `MOST_BYTES` are swept.
"""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN_BYTES = 32 << 20  # where the size of the caches cannot be read
LEAST_BYTES, MOST_BYTES = 4 << 20, 64 << 20
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def take_caches(threads: int) -> None:
    """Sweep the buffer once."""
    buffer = _buffer()
    if threads <= 1:
        _sweep(buffer)
    else:
        list(_pool(threads).map(_sweep, np.array_split(buffer, threads)))


def last_level_bytes(folder: Path = CACHES) -> int:
    """Size of the largest cache; `UNKNOWN_BYTES` where it cannot be read."""
    sizes = []
    for path in folder.glob("index*/size"):
        try:
            text = path.read_text().strip()
            sizes.append(int(text[:-1]) * _UNITS[text[-1]])
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return max(sizes, default=UNKNOWN_BYTES)


def disturbance() -> str:
    """What `take_caches` does here, for a datasheet."""
    return f"{len(_buffer()) * 8 >> 20} MB read and written before each run"


@functools.lru_cache(maxsize=8)
def _buffer() -> Any:
    size = min(max(last_level_bytes(), LEAST_BYTES), MOST_BYTES)
    return np.zeros(size // 8, np.int64)


@functools.lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="hwnas-caches")


def _sweep(buffer: Any) -> None:
    buffer += 1
