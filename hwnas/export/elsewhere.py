"""Engines of a run that were exported to another place: the run keeps a copy of each datasheet, and no more.

The place is a text: it is shown, and nothing there is opened, for whoever sent a run may have written anything into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hwnas.export import datasheet
from hwnas.search.run import ARCHIVE
from profilers.errors import BadInput, FileProblem
from profilers.files import read_json, sha256, write_json

FOLDER, ENGINES = "exported", "engines"


def note(source: Any, engines: list[Path]) -> None:
    """Tell a run of engines that were made of it; what is no run, or cannot be written, is left as it is."""
    if not isinstance(source, str | Path) or not (Path(source) / ARCHIVE).is_file():
        return
    run = Path(source)
    for engine in engines:
        if not engine.resolve().is_relative_to((run / ENGINES).resolve()):
            place = str(engine.resolve())
            with suppress(FileProblem, OSError):
                found = {"folder": place, "datasheet": read_json(engine / datasheet.FILE)}
                write_json(run / FOLDER / f"{engine.name}-{sha256(place.encode())[:12]}.json", found)


def noted(run: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Datasheet and place of each.

    Raises:
        BadInput: a note that is damaged, or was changed.
    """
    for path in sorted((run / FOLDER).glob("*.json")):
        found: Any = read_json(path)
        if not isinstance(found, dict) or not isinstance(found.get("folder"), str):
            raise BadInput(f"{path} is damaged", "what `hwnas export` writes", "remove it, or export again")
        yield datasheet.opened(found.get("datasheet"), path), found["folder"]
