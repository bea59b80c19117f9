"""Temporary files and folders, named after the process that owns them: what a killed one left can be removed.

    .NAME.RANDOM.PID-PLACE.hwnas        beside an output, hidden
    hwnas-NAME-RANDOM.PID-PLACE.hwnas   in the system's folder for temporary files

PLACE names the machine and its space of process numbers: elsewhere a number says nothing about whether its owner lives.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from profilers.processes import has_ended

_NAME = re.compile(r"(?:\..*\.|hwnas-.*\.)(\d+)-([0-9a-f]{8})\.hwnas")
_live: set[Path] = set()  # of this process
_swept: set[Path] = set()


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name for a temporary file or folder in the folder of `path`; whatever has it at the end is removed.

    What processes that are gone have left in that folder is removed, too.
    """
    sweep(path.parent)
    found = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.{_owner()}")
    _live.add(found)
    try:
        yield found
    finally:
        remove(found)
        _live.discard(found)


def scratch(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder in the system's place for temporary files."""
    sweep(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"hwnas-{name}-", suffix=f".{_owner()}")


def sweep(folder: Path, *, again: bool = False) -> None:
    """Remove temporaries of ours whose process is gone, once a process in each folder, or `again`."""
    if folder in _swept and not again:
        return
    _swept.add(folder)
    with suppress(OSError):  # no such folder, or not readable
        for path in list(folder.iterdir()):
            if (match := _NAME.fullmatch(path.name)) and path not in _live and _is_gone(int(match[1]), match[2]):
                remove(path)


def remove(path: Path) -> None:
    """A file or folder, as far as the system lets it be removed; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def remove_all() -> None:
    """What this process still holds, where it ends without having cleaned up."""
    for path in list(_live):
        remove(path)


def _owner() -> str:
    return f"{os.getpid()}-{_place()}.hwnas"


@cache
def _place() -> str:
    """The machine and its space of process numbers, as eight hexadecimal digits."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{zlib.crc32(f'{os.uname().nodename} {space}'.encode()):08x}"


def _is_gone(pid: int, place: str) -> bool:
    """Whether the owner has ended for certain; this process knows what it holds."""
    if place != _place() or not 0 < pid < 1 << 31:
        return False
    return pid == os.getpid() or has_ended(pid)
