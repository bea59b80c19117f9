"""Configurations that stages leave in the out folder, as the single commands read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w

from profilers.files import write_text

HEAD = "# Written by `hwnas run`; to change it, change the recipe.\n"


def toml_text(values: dict[str, Any]) -> str:
    """TOML of plain values; None is left out."""
    return HEAD + tomli_w.dumps(stated(values))


def write_once(path: Path, text: Callable[[], str]) -> Path:
    """A file that is not there yet: what was chosen when a stage began stays until it is done anew."""
    if not path.is_file():
        write_text(path, text())
    return path


def stated(value: Any) -> Any:
    """With lists for tuples, texts for paths, and without what is None."""
    if isinstance(value, dict):
        return {k: stated(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [stated(v) for v in value]
    return str(value) if isinstance(value, Path) else value
