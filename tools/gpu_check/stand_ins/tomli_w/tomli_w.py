"""Stands in for tomli_w where that is missing: nothing here writes TOML."""

from __future__ import annotations

from typing import Any, NoReturn


def dumps(_: Any) -> NoReturn:
    """Refused."""
    raise ImportError("tomli_w is not installed")
