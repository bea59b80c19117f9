"""An input of the campaign, what takes it, and the protocol of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

Command = Sequence[str] | Callable[[], object]
"""Arguments of `hwnas`, or a call from Python; both run in the input's own folder, which is the current one."""


@dataclass(frozen=True)
class Case:
    """A mutated input.

    Args:
        what: the mutation in words.
        commands: each is run and judged, also after one that refuses it.
        wrong: for a command that took it: its number and its stdout (or the text of what was returned) to what is
            wrong with it, "" where nothing is.
        may_leave: names, as of `fnmatch`, of files that a refused command may leave.
    """

    what: str
    commands: Sequence[Command]
    wrong: Callable[[int, str], str] = lambda number, output: ""
    may_leave: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """What a module of `kinds` gives as `KIND`.

    Args:
        name: for the command line and the table.
        title: what is mutated, for people.
        prepare: makes in an empty folder what the inputs start from; once a run of the campaign.
        mutate: (random, prepared folder, the input's own folder, which is empty) to the case; all that it draws is
            drawn from `random`, so that a seed and a number give the same input again.
        seconds: an input that takes longer hangs.
        ready: what a process does before its first input, untimed: imports that take long.
        short: inputs in `tests/fuzz`.
    """

    name: str
    title: str
    prepare: Callable[[Path], None]
    mutate: Callable[[Random, Path, Path], Case]
    seconds: float = 20.0
    short: int = 40
    ready: Callable[[], object] = object
