"""What benches share: the files that they read, and one line for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hwnas.fetch import FILES, cached
from profilers.errors import BadInput, HwnasError
from profilers.files import read_json

DATA = Path(__file__).with_name("data")
PUBLISHED = Path(__file__).resolve().parents[3] / "shared/published"  # where they lie beside a checkout


def public(name: str) -> Path:
    """A file of `hwnas fetch`, from beside the checkout or from its cache; BadInput says how to get it."""
    beside = PUBLISHED / FILES[name].path
    if beside.is_file():
        return beside
    if (path := cached(name)) is None:
        raise BadInput(f"{name} is not here", "a file that was fetched", f"hwnas fetch {name} (offline: --from DIR)")
    return path


def own(name: str) -> Any:
    """A JSON file of `data/`."""
    return read_json(DATA / name)


def run(main: Callable[[], None]) -> None:
    """`main`, whose errors are one line."""
    try:
        main()
    except HwnasError as error:
        raise SystemExit(f"hwnas: {error}") from error
