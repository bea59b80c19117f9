"""What came of a command that took a mutated input."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.campaign.case import Case

if TYPE_CHECKING:
    from tools.campaign.inside import Ended

TRACEBACK, HANG, DIED, HALF, WRONG, LINE = "traceback", "hang", "died", "half-written", "wrong", "line"
VERDICTS = {
    TRACEBACK: "an exception that nobody caught, or an exit code that is neither 0 nor 2",
    HANG: "longer than the kind's limit",
    DIED: "the process ended by a signal or took too much memory",
    HALF: "files that a refused command left",
    WRONG: "taken, and what it gave is not what it should be",
    LINE: "a refusal without a line, of many lines, too long, or with control characters",
}
LONGEST = 300  # characters of a line
MOST_LINES = 31  # `ManyRefusals` shows 30 and how many more
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Finding:
    """Something that should not have come of it."""

    verdict: str
    text: str


def judged(case: Case, index: int, ended: Ended, before: set[str], after: set[str]) -> Iterator[Finding]:
    """What is to be said of how the command of that number ended; the listings are those of its folder."""
    if ended.trace or "Traceback (most recent call last)" in ended.err:
        yield Finding(TRACEBACK, ended.trace or ended.err)
    elif ended.code not in (0, 2):
        yield Finding(TRACEBACK, f"exit code {ended.code}: {ended.err[-500:]}")
    elif ended.code == 2:
        yield from _refusal(ended.err)
        left = [name for name in after - before if not any(fnmatch.fnmatch(name, p) for p in case.may_leave)]
        if left:
            yield Finding(HALF, ", ".join(sorted(left)))
    elif wrong := case.wrong(index, ended.out):
        yield Finding(WRONG, wrong)


def _refusal(err: str) -> Iterator[Finding]:
    lines = err.splitlines()
    if not err.strip():
        yield Finding(LINE, "refused without a word")
    if len(lines) > MOST_LINES:
        yield Finding(LINE, f"{len(lines)} lines")
    for line in lines:
        if len(line) > LONGEST:
            yield Finding(LINE, f"{len(line)} characters: {line[:LONGEST]}")
        if _CONTROL.search(line):
            yield Finding(LINE, f"control characters: {line[:LONGEST]!r}")


def listing(folder: Path) -> set[str]:
    """The files and folders below it, by their names relative to it; links are not followed."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
