"""gpu-report.json and gpu-report.md: what is known so far, whole at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.gpu_check.findings import write
from tools.gpu_check.running import Outcome, Part

JSON, MARKDOWN = "gpu-report.json", "gpu-report.md"
MARK = "ᴾ"
PRETENDED = f"**Pretended.** No card took part: the CPU ran in its place. Figures that end in {MARK} are the CPU's."


@dataclass
class Report:
    """Of one run of the check; `about` is what is known of it as a whole, by name."""

    folder: Path
    about: dict[str, Any]
    pretended: bool
    parts: Sequence[Part]
    outcomes: list[Outcome] = field(default_factory=list)
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def add(self, outcome: Outcome) -> None:
        """A part is over; both files are written."""
        self.outcomes.append(outcome)
        self.save()

    def save(self) -> None:
        """Write both files."""
        write(self.folder / JSON, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")
        write(self.folder / MARKDOWN, "\n".join(self.lines()) + "\n")

    def to_json(self) -> dict[str, Any]:
        """Figures stand under `pretended_figures` and `pretended_tables` where they are no card's."""
        mark = "pretended_" if self.pretended else ""
        return {
            "kind": "hwnas-gpu-report", "schema": 1, "began": self.began, "pretended": self.pretended,
            "about": self.about, "parts": [_part(outcome, mark) for outcome in self.outcomes],
            "to_come": self._to_come(),
        }  # fmt: skip

    def _to_come(self) -> list[str]:
        return [part.name for part in self.parts[len(self.outcomes) :]]

    def lines(self) -> Iterator[str]:
        """The report for people, in Markdown."""
        yield f"# GPU check of {self.began}\n"
        if self.pretended:
            yield f"{PRETENDED}\n"
        yield from (f"- {name}: {_words(value)}" for name, value in self.about.items())
        yield from ("", *_grid(["part", "outcome", "s", "why"], [_row(outcome) for outcome in self.outcomes]))
        if left := self._to_come():
            yield f"\nStill to come: {', '.join(left)}."
        mark = MARK if self.pretended else ""
        for outcome in self.outcomes:
            yield from _section(outcome, mark)


def _part(outcome: Outcome, mark: str) -> dict[str, Any]:
    found = outcome.found
    return {
        "part": outcome.part.name, "title": outcome.part.title, "status": outcome.status, "reason": outcome.reason,
        "seconds": round(outcome.seconds, 1), f"{mark}figures": found["figures"], f"{mark}tables": found["grids"],
        "notes": found["notes"], "last_lines": list(outcome.last_lines),
    }  # fmt: skip


def _row(outcome: Outcome) -> list[str]:
    return [outcome.part.title, outcome.status, f"{outcome.seconds:.0f}", outcome.reason]


def _section(outcome: Outcome, mark: str) -> Iterator[str]:
    found = outcome.found
    if not (found["figures"] or found["grids"] or found["notes"] or outcome.last_lines):
        return
    yield f"\n## {outcome.part.title}\n"
    for figure in found["figures"]:
        yield f"- {figure['name']}: {_cell(figure['value'], mark)} {figure['unit']}".rstrip()
    yield from (f"- {note}" for note in found["notes"])
    for grid in found["grids"]:
        yield from ("", f"{grid['title']}:", "")
        yield from _grid(grid["columns"], [[_cell(cell, mark) for cell in row] for row in grid["rows"]])
    if outcome.last_lines:
        yield from ("", f"It {outcome.status}; its last lines:", "", "```", *outcome.last_lines, "```")


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in row)} |"


def _cell(value: Any, mark: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value}{mark}" if isinstance(value, int | float) else str(value)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {x}" for name, x in value.items() if x)
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
