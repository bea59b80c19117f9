"""The papers' authors' public files, taken into a cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hwnas.fetch import store
from hwnas.fetch.store import Fetched, default_cache
from hwnas.ofa.catalogue import PublicFile, find
from profilers.errors import BadInput


def fetch(
    names: str | Sequence[str],
    *,
    cache: Path | str | None = None,
    folder: Path | str | None = None,
    fresh: bool = False,
) -> Iterator[tuple[PublicFile, Fetched]]:
    """Take files into the cache, one by one: what each is, and where it lies. What is there needs no network.

    Args:
        names: files or groups, see `hwnas fetch --list`.
        cache: by default HWNAS_CACHE, or ~/.cache/hwnas/files.
        folder: take them from there, offline.
        fresh: take them anew, in place of what is in the cache.

    Raises:
        BadInput: an unknown name. NetworkProblem: the address does not answer.

    Example:
        >>> import hwnas
        >>> list(hwnas.fetch("no-such-file"))
        Traceback (most recent call last):
        profilers.errors.BadInput: ...
    """
    if not names:
        raise BadInput("no name", "names or groups of files", "hwnas fetch --list")
    if folder is not None and not Path(folder).is_dir():
        raise BadInput(f"--from {folder} is no folder", "a folder that has the files")
    place = default_cache() if cache is None else Path(cache)
    for file in find([names] if isinstance(names, str) else list(names)):
        yield file, store.fetch(file, place, None if folder is None else Path(folder), fresh=fresh)
