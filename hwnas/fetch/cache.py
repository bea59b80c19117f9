"""Where files are kept between runs: HWNAS_CACHE, or hwnas in the user's cache folder (XDG Base Directory)."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from profilers.errors import FileProblem
from profilers.progress import say

VARIABLE = "HWNAS_CACHE"


def cache_folder() -> Path:
    """HWNAS_CACHE, else XDG_CACHE_HOME/hwnas, else ~/.cache/hwnas; it need not exist yet.

    Where there is no home, or none that can be written to, one in the system's place for temporary files; that is said.
    """
    if own := os.environ.get(VARIABLE):
        return _expanded(Path(own)).absolute()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "hwnas"
    home = _home()
    if home is not None and _is_writable(home / ".cache" / "hwnas"):
        return home / ".cache" / "hwnas"
    return _without_home(Path(tempfile.gettempdir()), str(home or ""))


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise FileProblem(f"{VARIABLE}={path}, and there is no home folder", remedy="an absolute path") from error


def _is_writable(folder: Path) -> bool:
    """Whether it is there and can be written to, or can be made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(there, os.W_OK)


@cache
def _without_home(place: Path, home: str) -> Path:
    """A folder of this user's own, where others can make folders, too."""
    folder = place / f"hwnas-cache-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise FileProblem(f"{folder} belongs to somebody else", remedy=f"{VARIABLE}=DIR")
    except OSError as error:
        raise FileProblem(f"no home folder, and {folder}: {error.strerror}", remedy=f"{VARIABLE}=DIR") from error
    why = f"the home folder {home} cannot be written to" if home else "there is no home folder"
    say(f"{why}: files are kept in {folder}, which may not last; {VARIABLE}=DIR chooses another")
    return folder
