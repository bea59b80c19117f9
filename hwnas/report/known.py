"""The chosen networks beside known ones, as `hwnas compare` has measured them into the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.compare.elsewhere import ELSEWHERE, FILE, FOLDER
from hwnas.report.cells import Cell, Origin, Table
from hwnas.report.formatting import significant
from profilers.errors import BadInput
from profilers.files import read_json

_FAILED = "not measured"


def read(run: Path) -> Mapping[str, Any] | None:
    """What lies in the run; None without it.

    Raises:
        BadInput: it is damaged.
    """
    path = run / FOLDER / FILE
    return _checked(read_json(path), path) if path.is_file() else None


def read_elsewhere(run: Path) -> Mapping[str, Any] | None:
    """The newest that was written to another place, with that place as `folder`; None without one.

    Raises:
        BadInput: its note is damaged.
    """
    path = run / FOLDER / ELSEWHERE
    if not path.is_file():
        return None
    noted: Any = read_json(path)
    noted = noted if isinstance(noted, dict) else {}
    return _checked(noted.get("comparison"), path) | {"folder": str(noted.get("folder") or "")}


def _checked(found: Any, path: Path) -> dict[str, Any]:
    rows = found.get("networks") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "name" in row for row in rows):
        raise BadInput(f"{path} is damaged", "what `hwnas compare` writes", "hwnas compare RUN again")
    return dict(found)


def table(found: Mapping[str, Any]) -> Table:
    """Fastest first, as it was written."""
    rows = [
        [
            Cell(str(row["name"]), str(row.get("source") or "")),
            _number(row, "ms", low="low", high="high", how=_how(row)),
            _accuracy(row),
            _number(row, "params", 1e6),
            _number(row, "madds", 1e6),
            _number(row, "size"),
        ]
        for row in found["networks"]
    ]
    head = ["Network", "Measured (ms)", "Top-1 accuracy (%)", "Parameters (M)", "MAdds (M)", "Input (px)"]
    return Table(head, rows, f"Beside known networks{', elsewhere' * bool(found.get('folder'))}", numbers=True)


def about(found: Mapping[str, Any]) -> str:
    """On what it was measured."""
    made = found.get("fingerprint")
    made = made if isinstance(made, dict) else {}
    parts = [str(made[key]) for key in ("device", "runtime", "precision") if made.get(key)]
    place = f" on {', '.join(parts)}" if parts else ""
    written = f" Written to {found['folder']}." if found.get("folder") else ""
    return f"All networks were measured in turns{place}, batch {made.get('batch', 1)} (hwnas compare).{written}"


def _how(row: Mapping[str, Any]) -> str:
    return f"{_FAILED}: {row.get('failed')}" if row.get("ms") is None else "measured in turns with the others"


def _accuracy(row: Mapping[str, Any]) -> Cell:
    """On the user's images, else by a predictor, else on ImageNet as its source states."""
    if row.get("top1") is not None:
        return _number(row, "top1", low="top1_low", high="top1_high", how="evaluated on this search's images")
    if row.get("predicted_top1") is not None:
        return _number(row, "predicted_top1", how=f"predicted: {row.get('remark') or 'by the search'}")
    return _number(row, "imagenet_top1", how="imported: ImageNet, as its source states")


def _number(
    row: Mapping[str, Any], name: str, divisor: float = 1.0, *, low: str = "", high: str = "", how: str = ""
) -> Cell:
    value, ends = row.get(name), [row.get(low), row.get(high)]
    if not isinstance(value, int | float):
        return Cell("–", origin=Origin(how) if how.startswith(_FAILED) else None)
    known = all(isinstance(end, int | float) for end in ends)
    interval = " to ".join(significant(float(end) / divisor) for end in ends if end is not None) if known else ""
    return Cell(significant(value / divisor), interval, Origin(how) if how else None)
