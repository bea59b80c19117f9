"""Which evaluations gave no value, by their reasons."""

from __future__ import annotations

from hwnas.report.cells import Cell, Table
from hwnas.report.data import RunData

LISTED = 3  # networks of a reason
LONGEST = 400  # characters


def table(run: RunData) -> Table | None:
    """A row a reason, the most frequent first; None where nothing failed."""
    done, reasons = {id(row) for row in run.done}, dict[str, list[str]]()
    for row in run.rows:
        if id(row) not in done:
            reasons.setdefault(row.error or "an objective has no value", []).append(row.arch.id)
    if not reasons:
        return None
    rows = [
        [Cell(_short(reason)), Cell(str(len(ids))), Cell(", ".join(ids[:LISTED]) + " …" * (len(ids) > LISTED))]
        for reason, ids in sorted(reasons.items(), key=lambda item: -len(item[1]))
    ]
    return Table(["Reason", "Networks", "Which"], rows, "Evaluations that failed")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
