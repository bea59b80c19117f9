"""Where files are kept between runs: HWNAS_CACHE, or hwnas in the user's cache folder (XDG Base Directory)."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """HWNAS_CACHE, else XDG_CACHE_HOME/hwnas, else ~/.cache/hwnas; it need not exist yet."""
    if own := os.environ.get("HWNAS_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "hwnas"
