"""How values are shown and written: counts in k, M, G; bytes in KiB, MiB, GiB; anything else as it is."""

from __future__ import annotations

BYTES = "B"
_COUNTS = (("G", 1e9), ("M", 1e6), ("k", 1e3))
_BYTES = (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10))
SUFFIXES = {"": 1.0, **dict(_COUNTS)}
BYTE_SUFFIXES = {**SUFFIXES, "B": 1.0, **dict(_BYTES), **{name.removesuffix("B"): value for name, value in _BYTES}}


def scaled(unit: str, largest: float) -> tuple[str, float]:
    """The unit in which values up to `largest` are shown, and what they are divided by.

    >>> scaled("B", 3 * 2**20)
    ('MiB', 1048576.0)
    """
    if unit in ("", "count", "1"):
        return next(((name, size) for name, size in _COUNTS if largest >= size), ("", 1.0))
    if unit == BYTES:
        return next(((name, size) for name, size in _BYTES if largest >= size), (BYTES, 1.0))
    return unit, 1.0
