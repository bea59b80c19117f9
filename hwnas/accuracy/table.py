"""Known accuracies: a CSV file with a column `top1` (percent) and a column `arch` (JSON) or `id`."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from hwnas.space import Architecture, SearchSpace
from profilers.errors import BadInput
from profilers.files import parse_json, read_text


class AccuracyTable:
    """Looks networks up; one that is not in the table fails."""

    def __init__(self, path: Path, space: SearchSpace) -> None:
        self.path = path
        self._top1: dict[str, float] = {}
        rows = csv.DictReader(read_text(path).splitlines())
        columns = set(rows.fieldnames or ())
        if "top1" not in columns or not columns & {"arch", "id"}:
            raise BadInput(f"{path} has columns {sorted(columns)}", "top1 and arch (JSON) or id")
        for row in rows:
            self._add(space, row, f"{path}, line {rows.line_num}")
        if not self._top1:
            raise BadInput(f"{path} holds no network")

    def evaluate(self, arch: Architecture) -> float:
        """Top-1 in percent; BadInput if the table lacks the network."""
        if arch.id not in self._top1:
            raise BadInput(f"network {arch.id} is not in {self.path}")
        return self._top1[arch.id]

    def _add(self, space: SearchSpace, row: dict[str, str | None], where: str) -> None:
        try:
            top1 = float(row["top1"] or "")
        except ValueError:
            top1 = math.nan
        if not 0 <= top1 <= 100:
            raise BadInput(f"{where}: top1 is {row['top1']!r}", "a percentage")
        key = row.get("id") or space.parse(parse_json(row.get("arch") or "", where)).id
        self._top1[key] = top1
