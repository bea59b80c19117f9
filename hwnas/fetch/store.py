"""The cache of public files. Each is checked, whenever it is asked for, against the hash that the catalogue pins.

A file without a pinned hash is checked against the SHA-256 that was recorded when it was first taken.

CACHE/PATH            the file, complete
CACHE/PATH.sha256     {"sha256", "bytes", "source"}; stays if the file is removed
CACHE/PATH.part       what has arrived of a download; .part.json belongs to it
CACHE/PATH.lock       there while one process takes the file; others wait

Own code and not pooch, which resumes no download, limits no size, follows an https address to http, and replaces a
cached file whose hash is wrong where this one asks the user.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from hwnas.fetch.cache import cache_folder
from hwnas.fetch.download import Patience, download, forget
from hwnas.ofa.catalogue import FILES, PublicFile
from profilers.errors import BadInput, FileProblem
from profilers.files import inside, read_json, write_json
from profilers.interruption import leaving
from profilers.locks import locked
from profilers.outputs import FRESH

MIRROR = "HWNAS_MIRROR"  # an address in whose folders the files lie as in the cache, instead of the authors'


@dataclass(frozen=True)
class Fetched:
    """A file in the cache.

    `source` is where it was now taken from: an address, a path, or "cache"; `pinned` whether the catalogue knows its
    hash.
    """

    name: str
    path: str
    sha256: str
    bytes: int
    source: str
    pinned: bool


def default_cache() -> Path:
    """Where files are kept without --cache."""
    return cache_folder() / "files"


def cached(name: str) -> Path | None:
    """The path of a file that was fetched into the default cache, by its name; None if it was not."""
    file = FILES.get(name)
    path = default_cache() / file.path if file else None
    return path if path is not None and path.is_file() else None


def fetch(
    file: PublicFile,
    cache: Path,
    folder: Path | None = None,
    patience: Patience | None = None,
    *,
    fresh: bool = False,
) -> Fetched:
    """The file in the cache, taken from `folder` or from its address if it is not there yet, or anew if `fresh`.

    Raises:
        BadInput: another content than is pinned or was first taken (nothing is replaced); a folder without the file.
        NetworkProblem: it cannot be downloaded. FileProblem: it cannot be written.
    """
    path = inside(cache, file.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with leaving(lambda: _arrived(path)), locked(path.with_name(path.name + ".lock"), wait=True):
            if fresh:
                _forget_all(path)
            if path.exists():
                return _checked(file, path, "cache")
            return _take(file, path, folder, patience)
    except OSError as error:
        raise FileProblem(f"cannot write {path}: {error.strerror or error}", remedy="--cache DIR") from error


def _forget_all(path: Path) -> None:
    """Remove a file, what has arrived of it, and the record of its hash."""
    forget(_part(path))
    for place in (path, _record(path)):
        place.unlink(missing_ok=True)


def _take(file: PublicFile, path: Path, folder: Path | None, patience: Patience | None) -> Fetched:
    part = _part(path)
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
    """Facts of `content` (by default the file itself), whose hash is as pinned or recorded; a new one is recorded."""
    content = content or path
    record = _record(path)
    found = Fetched(file.name, str(path), _hash(content, "sha256"), content.stat().st_size, source, bool(file.pinned))
    kind, _, expected = file.pinned.partition(":")
    why = "the catalogue says"
    if not file.pinned:
        kind, expected, why = "sha256", _recorded(record, found.sha256), "was first taken"
    digest = _hash(content, kind)
    if digest != expected:
        got = f"{content if source == 'cache' else source} has {kind} {digest[:16]}…, not {expected[:16]}… as {why}"
        raise BadInput(
            f"{got}; nothing was replaced", "the same content", f"hwnas fetch {file.name} {FRESH}, to take it anew"
        )
    if not record.exists():
        write_json(record, {"sha256": found.sha256, "bytes": found.bytes, "source": source})
    return found


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _record(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _recorded(record: Path, default: str) -> str:
    """The SHA-256 of a file when it was first taken; `default` if this is the first time."""
    if not record.exists():
        return default
    known = read_json(record)
    return str(known.get("sha256")) if isinstance(known, dict) else "nothing"


def _hash(path: Path, kind: str) -> str:
    """SHA-256 of the content, or what git calls a blob of it: SHA-1 over its size and itself."""
    with path.open("rb") as stream:
        if kind == "sha256":
            return hashlib.file_digest(stream, "sha256").hexdigest()
        start = b"blob %d\0" % path.stat().st_size
        return hashlib.file_digest(stream, lambda: hashlib.sha1(start, usedforsecurity=False)).hexdigest()


def _arrived(path: Path) -> str:
    """What an interruption leaves, "" for nothing."""
    part = _part(path)
    return f"what has arrived is kept in {part}" if part.exists() else ""
