"""Contiguous memory to load models into, so that where a model happens to lie does not decide how fast it is.

Caches are indexed by physical address, and Linux hands out the smallest free blocks first. On a machine that has run
for a while these are single pages from all over the memory; the models that are loaded first get them, collide with
themselves in the second-level cache and are slower. Measured on groups of 24 MobileNetV3s, loaded one after the other
by OpenVINO (by ONNX Runtime): the first three 1.6 % (0.4 %) slower than the mean, the last three 1.1 % (0.6 %) faster,
and loadings of the same network 1.3 to 1.6 % (0.7 %) apart, standard deviation. With the small blocks taken first by
something else: 0.5 to 0.6 % (0.4 %), and no effect of the order.

Source: the kernel's buddy allocator; `/proc/buddyinfo` in proc(5).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
from collections.abc import Iterator
from pathlib import Path

from profilers.cgroup import cgroup_memory_left

BUDDYINFO, MEMINFO = Path("/proc/buddyinfo"), Path("/proc/meminfo")
SMALL_ORDERS = 6  # blocks of up to 2^5 pages = 128 KiB: a way of a cache of 1 MiB, 8-way, begins to be covered evenly
MOST_BYTES = 4 << 30
MOST_SHARE = 0.25  # of what is available
LOOKS = 4
STUCK = 0.9  # of what was left a look before: the rest is kept for the kernel's own use
ENOUGH = 64 << 20  # bytes of small blocks that do no harm: two models
_MADV_POPULATE_WRITE = 23  # Linux 5.14
PAGE = mmap.PAGESIZE


@contextlib.contextmanager
def contiguous_memory(wanted: bool = True) -> Iterator[int]:
    """Load models, and run them for the first time, inside; yields the bytes of small blocks that are held meanwhile.

    Nothing is held (0) where the system does not say what is free, or has little left. What the process has freed but
    not given back is given back first, since it would be used again before any other memory. Pages that the kernel
    keeps for each core come first too and are not listed, so it is looked again what is left.
    """
    if not wanted:
        yield 0
        return
    _give_back()
    most, held, before = min(MOST_BYTES, int(MOST_SHARE * available())), 0, 0
    with contextlib.ExitStack() as stack:
        for look in range(LOOKS):
            size = min(left := small_blocks(), most - held)
            if (look >= 2 and left > STUCK * before) or size < ENOUGH or not _entered(stack, size):
                break
            held, before = held + size, left
        yield held


def small_blocks(path: Path = BUDDYINFO) -> int:
    """Bytes of free memory in small blocks, in all zones; 0 where the system does not say."""
    try:
        counts = [[int(n) for n in line.partition("zone")[2].split()[1:]] for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return 0
    return sum(n * PAGE << order for zone in counts for order, n in enumerate(zone[:SMALL_ORDERS]))


def available(meminfo: Path = MEMINFO) -> int:
    """Bytes that this process may still use, by the system and its control group; 0 where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return 0
    left = cgroup_memory_left()
    return max(free if left is None else min(free, left), 0)


@contextlib.contextmanager
def _taken(size: int) -> Iterator[None]:
    """`size` bytes of single pages; OSError or ValueError where there are none to be had."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as region:
        region.madvise(mmap.MADV_NOHUGEPAGE)  # huge pages would come from the large blocks
        try:
            region.madvise(_MADV_POPULATE_WRITE)
        except OSError as error:
            if error.errno != errno.EINVAL:  # an older kernel does not know it
                raise
            for start in range(0, size, PAGE):
                region[start] = 1
        yield


def _entered(stack: contextlib.ExitStack, size: int) -> bool:
    with contextlib.suppress(OSError, ValueError, MemoryError):
        stack.enter_context(_taken(size))
        return True
    return False


def _give_back() -> None:
    """Freed memory that the C library keeps goes back to the system; only glibc has a call for it."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
