"""Which networks a run evaluates in its own process now: `RUN/underway.json`, while it does.

Code that ends its process (a segmentation fault, `os._exit`) leaves the file. Whoever continues the run counts from it
how often a network has ended its process, evaluates it alone, and at last takes it as failed.

    {"now": [ids that are being evaluated], "ended": {id: how often it has ended the process}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hwnas.space import Architecture

FILE = "underway.json"
LARGEST = 1 << 20  # bytes that are read


class Underway:
    """What is being evaluated; without a `folder` nothing is noted."""

    def __init__(self, folder: Path | None = None, tries: int = 1) -> None:
        self._path, self._tries = folder and folder / FILE, tries
        self._descriptor: int | None = None
        self._ended = _ended(self._path) if self._path else {}

    def parts(self, archs: Sequence[Architecture], size: int) -> Iterator[Sequence[int]]:
        """Indices of networks that are evaluated together: `size` of them, but what has ended a process alone."""
        alone = [i for i, arch in enumerate(archs) if arch.id in self._ended]
        others = [i for i, arch in enumerate(archs) if arch.id not in self._ended]
        yield from (others[i : i + size] for i in range(0, len(others), size))
        yield from ([i] for i in alone)

    def fatal(self, archs: Sequence[Architecture]) -> str:
        """Why the network that is alone in `archs` is not evaluated again, "" for no reason."""
        times = max(self._ended.get(arch.id, 0) for arch in archs)
        if times < self._tries:
            return ""
        self._ended = {key: n for key, n in self._ended.items() if key != archs[0].id}
        return f"the process ended {times} times while it was being evaluated"

    @contextmanager
    def around(self, archs: Sequence[Architecture]) -> Iterator[None]:
        """Noted while the block runs."""
        if self._path is None:
            yield
            return
        ids = [arch.id for arch in archs]
        self._write(ids)
        try:
            yield
        finally:  # the process lives
            for key in ids:
                self._ended.pop(key, None)
            self._write([])

    def close(self) -> None:
        """Leave nothing behind but what is still to be known."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._path is not None and not self._ended:
            self._path.unlink(missing_ok=True)

    def _write(self, now: Sequence[str]) -> None:
        """In one call, so that it is whole whenever the process ends; what a longer one left is behind the line."""
        assert self._path is not None
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        os.pwrite(self._descriptor, f"{json.dumps({'now': now, 'ended': self._ended})}\n".encode(), 0)


def _ended(path: Path) -> dict[str, int]:
    """How often a network has ended the process; nothing where the file is not ours."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        with path.open("rb") as file:
            data = json.loads(file.read(LARGEST).partition(b"\n")[0])
        found = {str(key): min(int(times), 1000) for key, times in data["ended"].items()}
        return found | {str(key): found.get(key, 0) + 1 for key in data["now"]}
    return {}
