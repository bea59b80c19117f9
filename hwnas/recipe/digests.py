"""What tells files from others: by content, so that a copy or a moved folder is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path


def digest(paths: Sequence[Path]) -> str:
    """Of files, and of all files in folders; "" where none is there."""
    files = [file for path in paths for file in _files(path)]
    whole = hashlib.sha256("".join(map(file_digest, files)).encode())
    return whole.hexdigest()[:16] if files else ""


def file_digest(path: Path) -> str:
    """Of one file; read again only after a change."""
    state = path.stat()
    return _of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _of(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path] if path.is_file() else []


def text_digest(text: str) -> str:
    """Of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
