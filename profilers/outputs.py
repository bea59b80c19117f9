"""What a command does where its output is there already.

With `--fresh` it begins anew, in place of what the same command wrote and of nothing else. Otherwise:

equal and finished     kept, and said
equal and unfinished   continued
different              refused: one line with the difference and what works in this very command
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profilers.errors import BadInput, FingerprintMismatch, shown

FRESH = "--fresh"


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each key that says something else: `seed was 1, is 2`; of sections, those of their keys."""
    found = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{name}.{line}" for line in changes(old, new)]
        elif old != new:
            plain = not isinstance(old, list | tuple | Mapping) and not isinstance(new, list | tuple | Mapping)
            found.append(f"{name} was {shown(old)}, is {shown(new)}" if plain else f"{name} differs")
    return found


def different(path: Path, differ: Sequence[str], elsewhere: str = "another --out") -> FingerprintMismatch:
    """The refusal where `path` is of another configuration; `elsewhere` is how this command writes to another place."""
    got = f"{path} is of another configuration: {'; '.join(differ)}"
    return FingerprintMismatch(got, "the same", f"{elsewhere}, or {FRESH} to begin anew in its place")


def in_the_way(path: Path, what: str, elsewhere: str = "another --out") -> BadInput:
    """The refusal where nothing may be there: resuming was not wanted."""
    return BadInput(f"{path} holds {what}", remedy=f"{elsewhere}, resume=True to keep it, or {FRESH} to begin anew")


def foreign(path: Path, allowed: str, elsewhere: str = "another --out") -> BadInput:
    """The refusal where `path` is no file of this command's; it is not touched, by `--fresh` neither."""
    return BadInput(f"{path} exists and is something else", allowed, elsewhere)


def kept(path: Path, what: str) -> str:
    """The line where a finished output of this very configuration is there."""
    return f"{path} is {what} of this very configuration, finished: kept ({FRESH} begins anew)"
