"""Every error that this product raises on purpose.

HwnasError                  one clear line for a person; the command line prints it and exits with 2
 ├── BadInput               a value, file or configuration that does not fit
 │    ├── ManyRefusals      several of them at once, a line each (profilers/refusals.py)
 │    ├── TableError        a latency table that cannot be read, or lacks layers
 │    └── FingerprintMismatch   a table or engine of another device, runtime or setting
 ├── EngineUnavailable      a runtime that is not installed or cannot run here
 ├── MeasurementFailed      a model that could not be timed
 └── FileProblem            the operating system refused to read or write
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import accumulate
from typing import Any

from profilers.printable import fitted

LARGEST = 2**63  # whole numbers from here on are not written out
_LISTED = 160  # characters of a list of names in a message
_LINE = 596  # characters of a message: two paths and a command that can be copied have room
_SHOWN = 60  # characters of a value in a message
_SAID = 120  # characters of other code's own words
SHOWN_LIST = 120  # the same of a list


class HwnasError(Exception):
    """One line: what was got, what is allowed, what mends it.

    Args:
        got: what was found, as a sentence without its final stop.
        allowed: what would have been right.
        remedy: the command or change that mends it.

    >>> print(BadInput("threads = 0", "1 or more", "threads=1"))
    threads = 0; allowed: 1 or more; try: threads=1
    """

    def __init__(self, got: str, allowed: str = "", remedy: str = "") -> None:
        self.got, self.allowed, self.remedy = got, allowed, remedy
        parts = [got, f"allowed: {allowed}" if allowed else "", f"try: {remedy}" if remedy else ""]
        super().__init__("; ".join(fitted([" ".join(p.split()) for p in parts if p], _LINE)))

    def __reduce__(self) -> tuple[type[HwnasError], tuple[str, str, str]]:
        return type(self), (self.got, self.allowed, self.remedy)


class BadInput(HwnasError):
    """A value, file or configuration that does not fit.

    >>> print(BadInput("threads = 0", "1 or more", "threads=1"))
    threads = 0; allowed: 1 or more; try: threads=1
    """


class TableError(BadInput):
    """A latency table that cannot be read, or lacks layers.

    >>> issubclass(TableError, BadInput)
    True
    """


class FingerprintMismatch(BadInput):
    """A table or engine that belongs to another device, runtime or setting.

    >>> issubclass(FingerprintMismatch, BadInput)
    True
    """


class EngineUnavailable(HwnasError):
    """A runtime that is not installed or cannot run on this machine.

    >>> print(EngineUnavailable("openvino is not installed", remedy="pip install 'hwnas[openvino]'"))
    openvino is not installed; try: pip install 'hwnas[openvino]'
    """


class MeasurementFailed(HwnasError):
    """A model that could not be timed.

    >>> raise MeasurementFailed("an engine could not be timed")
    Traceback (most recent call last):
    profilers.errors.MeasurementFailed: an engine could not be timed
    """


class FileProblem(HwnasError):
    """The operating system refused to read or write.

    >>> print(FileProblem("cannot read a.onnx: no such file", remedy="check the path"))
    cannot read a.onnx: no such file; try: check the path
    """


def check_least(least: float, **values: float) -> None:
    """Raise BadInput if a number, given by its name, is below `least`, infinite or NaN."""
    for name, value in values.items():
        if not least <= value < float("inf"):
            raise BadInput(f"{name} = {value:g}", f"{least:g} or more")


def nearest(value: str, allowed: Sequence[str], cutoff: float = 0.5) -> str:
    """The allowed name that `value` looks like, in whatever case, or ""; `cutoff` is how alike, from 0 to 1."""
    if found := get_close_matches(value[:100], allowed, 1, cutoff):
        return found[0]
    lower = {name.lower(): name for name in allowed}
    return next((lower[name] for name in get_close_matches(value[:100].lower(), lower, 1, cutoff)), "")


def listed(names: Iterable[str], most: int = _LISTED) -> str:
    """Names with commas between them; of a long list the first, as many as fit, and how many there are.

    >>> listed(["a", "b"]), listed(["fox", "dog", "cat"], most=8)
    ('a, b', 'fox, dog, … (3 in all)')
    """
    whole = list(names)
    text = ", ".join(whole)
    if len(text) <= most or len(whole) < 2:
        return text
    ends = accumulate(len(name) + 2 for name in whole)
    kept = max(1, sum(end - 2 <= most for end in ends))
    return f"{', '.join(whole[:kept])}, … ({len(whole)} in all)"


def said(error: BaseException) -> str:
    """The beginning of a parser's or runtime's own words, which may repeat whole files."""
    return str(error)[:_SAID]


def shown(value: Any, most: int = _SHOWN) -> str:
    """A value for a message: at most so many characters, and printable whatever it is."""
    if isinstance(value, int) and abs(value) >= LARGEST:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, str):
        value = value[: most + 1]
    try:
        text = str(value) if hasattr(value, "isoformat") else repr(value)
    except Exception:  # a number of too many digits inside, too deep, or whatever somebody's own class does there
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}…"
