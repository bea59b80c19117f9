"""The cache of public files: each with its SHA-256 beside it, recorded when it was first taken, checked ever after.

CACHE/PATH            the file, complete
CACHE/PATH.sha256     {"sha256", "bytes", "source"}; stays if the file is removed
CACHE/PATH.part       what has arrived of a download; .part.json belongs to it
CACHE/PATH.lock       held while one process takes the file; others wait
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from hwnas.fetch.cache import cache_folder
from hwnas.fetch.download import Patience, download, forget
from hwnas.ofa.catalogue import FILES, PublicFile
from profilers.errors import BadInput, FileProblem
from profilers.files import inside, read_json, write_json

MIRROR = "HWNAS_MIRROR"  # an address in whose folders the files lie as in the cache, instead of the authors'


@dataclass(frozen=True)
class Fetched:
    """A file in the cache; `source` is where it was now taken from: an address, a path, or "cache"."""

    name: str
    path: str
    sha256: str
    bytes: int
    source: str


def default_cache() -> Path:
    """Where files are kept without --cache."""
    return cache_folder() / "files"


def cached(name: str) -> Path | None:
    """The path of a file that was fetched into the default cache, by its name; None if it was not."""
    file = FILES.get(name)
    path = default_cache() / file.path if file else None
    return path if path is not None and path.is_file() else None


def fetch(file: PublicFile, cache: Path, folder: Path | None = None, patience: Patience | None = None) -> Fetched:
    """The file in the cache, taken from `folder` or from its address if it is not there yet.

    Raises:
        BadInput: another content than was first taken (nothing is replaced), or a folder without the file.
        NetworkProblem: it cannot be downloaded. FileProblem: it cannot be written.
    """
    path = inside(cache, file.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if path.exists():
                return _checked(file, path, "cache")
            return _take(file, path, folder, patience)
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror or error}", remedy="--cache DIR") from error


def _take(file: PublicFile, path: Path, folder: Path | None, patience: Patience | None) -> Fetched:
    part = path.with_name(path.name + ".part")
    if folder is None:
        mirror = os.environ.get(MIRROR)
        source = f"{mirror.rstrip('/')}/{file.path}" if mirror else file.url
        download(source, part, file.name, patience)
    else:
        found = _in_folder(file, folder)
        forget(part)
        shutil.copyfile(found, part)
        source = str(found)
    try:
        fetched = _checked(file, path, source, part)
    except BadInput:
        forget(part)
        raise
    part.replace(path)
    forget(part)
    return fetched


def _in_folder(file: PublicFile, folder: Path) -> Path:
    """Where a folder has the file: at its path in the cache, or straight in it."""
    names = [file.path, file.path.rpartition("/")[2]]
    for name in names:
        if (found := inside(folder, name)).is_file():
            return found
    raise BadInput(f"{folder} has no {file.name}", " or ".join(str(folder / n) for n in names))


def _checked(file: PublicFile, path: Path, source: str, content: Path | None = None) -> Fetched:
    """Facts of `content` (by default the file itself), recorded or compared with the record."""
    content = content or path
    with content.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    record = path.with_name(path.name + ".sha256")
    fetched = Fetched(file.name, str(path), digest, content.stat().st_size, source)
    if not record.exists():
        write_json(record, {k: v for k, v in asdict(fetched).items() if k in ("sha256", "bytes", "source")})
        return fetched
    known = read_json(record)
    if not isinstance(known, dict) or known.get("sha256") != digest:
        expected = str(known.get("sha256"))[:16] if isinstance(known, dict) else "nothing"
        got = f"{content if source == 'cache' else source} has SHA-256 {digest[:16]}…, not {expected}… as first taken"
        raise BadInput(f"{got}; nothing was replaced", "the same content", f"rm {path} {record} to take it anew")
    return fetched


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process at a time; the others wait."""
    with path.with_name(path.name + ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
