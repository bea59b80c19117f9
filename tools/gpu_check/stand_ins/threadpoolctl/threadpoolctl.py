"""Stands in for threadpoolctl where that is missing: the number of threads is left as it is."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any


def threadpool_limits(*_: Any, **__: Any) -> nullcontext[None]:
    """Nothing."""
    return nullcontext()
