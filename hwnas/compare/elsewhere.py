"""A comparison that was written to another place than the run's folder: the run keeps a copy of the newest one.

The place is a text: it is shown, and nothing there is opened, for whoever sent a run may have written anything into it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from profilers.errors import FileProblem
from profilers.files import read_json, write_json

FOLDER, FILE, ELSEWHERE = "known", "compare.json", "elsewhere.json"


def note(run: Path, target: Path) -> None:
    """Tell a run of the comparison in `target`; one that lies in the run needs no note, and a run may be read-only."""
    if target.resolve() != (run / FOLDER).resolve():
        with suppress(FileProblem, OSError):
            found = {"folder": str(target.resolve()), "comparison": read_json(target / FILE)}
            write_json(run / FOLDER / ELSEWHERE, found)
