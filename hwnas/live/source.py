"""What runs hold now. A run's archive is read from a copy: SQLite's locks do not reach a writer on another machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hwnas.compare.elsewhere import ELSEWHERE, FILE, FOLDER
from hwnas.export import datasheet
from hwnas.live.standing import Pace, Standing, line, standing
from hwnas.report.data import RunData
from hwnas.report.load import ENGINES, load_run
from hwnas.report.page import page, part
from hwnas.search.connections import snapshot
from hwnas.search.run import ARCHIVE, open_run
from profilers import temporary
from profilers.errors import HwnasError

Stamp = tuple[tuple[str, int, int], ...]


class Watched:
    """A run's folder, read anew when anything in it has changed; a reading that fails leaves the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pace, self.trouble = folder, Pace(), ""
        self._stamp: Stamp = ()
        self.data, self.standing = self._read()

    def refresh(self) -> bool:
        """Whether there was something new."""
        if self._now() == self._stamp:
            return False
        try:
            self.data, self.standing = self._read()
            self.trouble = ""
        except (HwnasError, OSError) as error:  # it is being written; the next look may do
            self.trouble, self._stamp = str(error), ()
        return True

    @property
    def line(self) -> str:
        """How it stands."""
        trouble = f"\ncannot be read now: {self.trouble}" if self.trouble else ""
        return line(self.standing, self.pace, time.monotonic()) + trouble

    def _read(self) -> tuple[RunData, Standing]:
        stamp = self._now()
        with temporary.scratch("watch") as place:
            with open_run(self.folder, archive=self._copy(Path(place))) as run:
                found = standing(self.folder.resolve().name, run)
            data = load_run(self.folder, archive=Path(place) / ARCHIVE)
        self.pace.note(found.evaluated, time.monotonic())
        self._stamp = stamp
        return replace(data, chosen=[replace(engine, link=None) for engine in data.chosen]), found

    def _copy(self, place: Path) -> Path | None:
        path = self.folder / ARCHIVE
        return snapshot(path, place) if path.is_file() else None

    def _now(self) -> Stamp:
        sheets = (self.folder / ENGINES).rglob(datasheet.FILE)
        archive = [self.folder / f"{ARCHIVE}{ending}" for ending in ("", "-wal", "-journal")]
        found = []
        for path in [*archive, *(self.folder / FOLDER / name for name in (FILE, ELSEWHERE)), *sorted(sheets)]:
            try:
                facts = path.stat()
            except OSError:
                continue
            found.append((str(path), facts.st_size, facts.st_mtime_ns))
        return tuple(found)


class Pages:
    """The page of some runs as it is now; `version` changes with what it shows."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.runs = [Watched(folder) for folder in folders]
        self.version, self.text = 0, ""
        self._make()

    def refresh(self) -> None:
        """Look at the folders; make the page anew where something has changed."""
        changed = [run.refresh() for run in self.runs]
        if any(changed):
            self._make()

    @property
    def state(self) -> dict[str, object]:
        """What the page asks for every other second."""
        return {"version": self.version, "text": self.lines}

    @property
    def lines(self) -> str:
        """How the runs stand, a line or two each."""
        return "\n".join(run.line for run in self.runs)

    def whole(self) -> str:
        """The page as it is opened."""
        return page([run.data for run in self.runs], _now(), live=self.lines)

    def _make(self) -> None:
        self.text = part([run.data for run in self.runs], _now(), live=self.lines)
        self.version += 1


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
