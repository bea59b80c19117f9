"""Checks of what a search space is made of: each raises BadInput, which names the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import pairwise
from typing import Any

from profilers.errors import BadInput, shown

MOST_CHANNELS = 16384
MOST_PIXELS = 4096
MOST_KERNEL = 15
MOST_CLASSES = 100_000


def check_integer(what: str, value: Any, low: int, high: int) -> None:
    """An integer from low to high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{what} {value!r}", f"an integer from {low} to {high}")


def check_classes(classes: Any) -> None:
    """A number of classes."""
    if isinstance(classes, bool) or not isinstance(classes, int) or not 2 <= classes <= MOST_CLASSES:
        raise BadInput(f"{classes} classes", f"2 to {MOST_CLASSES}")


def check_integers(what: str, values: Any, low: int, high: int) -> None:
    """A tuple of ascending integers from low to high, at least one."""
    if not isinstance(values, tuple) or not values:
        raise BadInput(f"{what} {values!r}", "a tuple of one integer or more")
    for value in values:
        check_integer(what, value, low, high)
    if any(a >= b for a, b in pairwise(values)):
        raise BadInput(f"{what} {values!r}", "each value once, in ascending order")


def check_number(what: str, value: Any, low: float, high: float) -> None:
    """A number between low and high, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value < high:
        raise BadInput(f"{what} {value!r}", f"a number between {low:g} and {high:g}")


def check_one_of(what: str, value: Any, allowed: Collection[str]) -> None:
    """One of some words."""
    if not isinstance(value, str) or value not in allowed:
        raise BadInput(f"{what} {shown(value)}", ", ".join(allowed))


def check_name(name: Any) -> None:
    """The name of a space, which is no file and no module."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name) or name.endswith(".toml"):
        raise BadInput(f"name {shown(name)} of a space", "letters, digits, _, - and ., not ending in .toml")


def check_words(what: str, values: Any, allowed: Collection[str]) -> None:
    """A tuple of some words, at least one and each once."""
    if not isinstance(values, tuple) or not values:
        raise BadInput(f"{what} {values!r}", "a tuple of one word or more")
    for value in values:
        check_one_of(what, value, allowed)
    if len(set(values)) < len(values):
        raise BadInput(f"{what} {values!r}", "each word once")
