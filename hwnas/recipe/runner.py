"""Carries out stages: keeps what fits, goes on with what is unfinished, makes anew what no longer fits."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwnas.recipe.expected import duration, expected
from hwnas.recipe.journal import Entry, Journal, changes
from hwnas.recipe.order import STAGES
from hwnas.recipe.stage import Stage
from hwnas.recipe.work import Work
from profilers.errors import BadInput, FileProblem

REPLACED = "replaced"  # folder of what was put aside
_SHOWN = 4  # keys that are named


class Runner:
    """A recipe that is being carried out.

    Args:
        work: the recipe.
        order: its stages.
        seconds: that each may take; by default the wished time is shared out.
    """

    def __init__(self, work: Work, order: Sequence[Stage] = STAGES, seconds: Mapping[str, float] | None = None) -> None:
        self.work, self.journal, self.order = work, Journal(work.out), order
        self.seconds = expected(work) if seconds is None else seconds
        self.names = [stage.name for stage in order]

    def run(self, stages: Sequence[Stage], *, fresh: bool = False) -> None:
        """All of them, in order; `fresh` makes them anew, with a word on what was there."""
        self.require(stages[0])
        for stage in stages:
            if reason := stage.given(self.work):
                self.say(stage, reason)
                continue
            self.settle(stage, fresh)
            if (entry := self.journal.entries[stage.name]).finished:
                self.say(stage, f"kept ({duration(entry.seconds)}): {entry.result}")
            else:
                self.carry_out(stage)

    def require(self, first: Stage) -> None:
        """What stages before the first one that is run should have made is there; what no longer fits is said."""
        for stage in self.order[: self.names.index(first.name)]:
            if stage.given(self.work):
                continue
            entry = self.journal.entries.get(stage.name)
            if not (entry and entry.finished and stage.done(self.work)):
                raise BadInput(f"--from {first.name}, but {stage.name} is not done", remedy=f"--from {stage.name}")
            if why := self.why_anew(stage, entry):
                self.say(stage, f"used as it is, although {why}")

    def settle(self, stage: Stage, fresh: bool) -> None:
        """Decide whether what is there is kept, continued or put aside; the journal then has the stage."""
        entry = self.journal.entries.get(stage.name)
        now = Entry(self.settings(stage), self.sources(stage))
        why = "--fresh was given" if fresh else self.why_anew(stage, entry)
        if why and (place := self.put_aside(stage)):
            self.say(stage, f"anew, since {why}; what was there is in {place}")
        if entry is None or why:
            self.journal.keep(stage.name, now)
        elif (entry.settings, entry.sources) != (now.settings, now.sources) or not stage.done(self.work):
            self.journal.keep(stage.name, replace(now, seconds=entry.seconds))

    def why_anew(self, stage: Stage, entry: Entry | None) -> str:
        """What of a stage's past does not fit any more, "" where all does."""
        if entry is None:
            return "this recipe has not made it"
        now, sources = self.settings(stage), self.sources(stage)
        found = [] if stage.continues(entry.settings, now) else list(changes(entry.settings, now))
        found += [f"what {name} made" for name in changes(entry.sources, sources) if name not in stage.follows]
        named = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        return f"{named} {'has' if len(found) == 1 else 'have'} changed" if found else ""

    def settings(self, stage: Stage) -> dict[str, Any]:
        """What it depends on, as a file gives it back."""
        found: dict[str, Any] = json.loads(json.dumps(stage.settings(self.work)))
        return found

    def sources(self, stage: Stage) -> dict[str, str]:
        """Digests of the products that it reads."""
        return {name: self.order[self.names.index(name)].made(self.work) for name in stage.needs}

    def put_aside(self, stage: Stage) -> Path | None:
        """Move what it has made to a folder of its own, in place of what was put aside before; None for nothing."""
        place = self.work.out / REPLACED / stage.name
        if not (there := [path for path in stage.working(self.work) if path.exists()]):
            return None
        try:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            for path in there:
                path.rename(place / path.name)
        except OSError as error:
            raise FileProblem(f"cannot move {stage.name}'s files to {place}: {error.strerror}") from error
        return place

    def carry_out(self, stage: Stage) -> None:
        """Run it, and note what it took whatever becomes of it."""
        entry, seconds = self.journal.entries[stage.name], self.seconds[stage.name]
        again = f"goes on after {duration(entry.seconds)}, " if entry.seconds else ""
        self.say(stage, f"{again}about {duration(seconds)} (estimated)")
        start, result, finished = time.monotonic(), entry.result, False
        try:
            result = stage.run(self.work, seconds)
            finished = True
        finally:
            took = entry.seconds + time.monotonic() - start
            self.journal.keep(stage.name, replace(entry, seconds=took, finished=finished, result=result))
        so_far = f"{duration(self.spent)} of about {duration(self.total)}"
        self.say(stage, f"done in {duration(took)}: {result} [{so_far}]")

    def state(self, stage: Stage) -> str:
        """What there is of a stage, "" for nothing."""
        if (entry := self.journal.entries.get(stage.name)) is None:
            return ""
        if why := self.why_anew(stage, entry):
            return f"anew, since {why}; about {duration(self.seconds[stage.name])} (estimated)"
        whole = entry.finished and stage.done(self.work) and entry.sources == self.sources(stage)
        return f"done in {duration(entry.seconds)}" if whole else f"goes on after {duration(entry.seconds)}"

    @property
    def total(self) -> float:
        """Seconds of all stages: what the finished ones took, and what the others may take."""
        took = {name: self.journal.seconds(name) for name in self.names}
        return sum(self.seconds[name] if took[name] is None else took[name] or 0.0 for name in self.names)

    @property
    def spent(self) -> float:
        """Seconds of all stages so far, in earlier calls too."""
        return sum(entry.seconds for entry in self.journal.entries.values())

    def say(self, stage: Stage, line: str) -> None:
        """A line for people."""
        self.work.say(f"[{self.names.index(stage.name) + 1}/{len(self.names)}] {stage.name}: {line}")


def seconds_by_stage(entries: Mapping[str, Entry]) -> dict[str, float]:
    """What each took, s."""
    return {name: round(entry.seconds, 1) for name, entry in entries.items()}
