"""Known accuracies: a CSV file with `top1` (percent, or fractions if that is said), and `arch` (JSON) or `id`."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from hwnas.accuracy.unit import Unit
from hwnas.space import Architecture, Genes, SearchSpace
from profilers import limits
from profilers.errors import BadInput, check_least, listed, shown
from profilers.files import parse_json, read_text

LISTED = 20_000  # networks of a space in which ids are looked up


class AccuracyTable:
    """Looks networks up; one that is not in the table fails.

    Args:
        path: the CSV file.
        space: of its networks.
        unit: percent or fraction, where the values may be either (`hwnas.accuracy.unit`).
        images: on how many they were judged, which gives top-1 an interval.
    """

    def __init__(self, path: Path, space: SearchSpace, *, unit: str | None = None, images: int | None = None) -> None:
        check_least(1, images=1 if images is None else images)
        self.images = images
        self.path, self.space, self._unit = path, space, Unit(unit, str(path))
        self._top1: dict[str, float] = {}
        self._archs: dict[str, Architecture] = {}
        csv.field_size_limit(limits.CSV_CHARACTERS)
        rows = csv.DictReader(read_text(path).splitlines(), strict=True)
        try:
            self._read(space, rows)
        except csv.Error as error:
            raise BadInput(f"{path}, line {rows.line_num}: {error}", "comma-separated values") from error
        if not self._top1:
            raise BadInput(f"{path} holds no network")
        self._unit.check_all(self._top1.values())

    def evaluate(self, arch: Architecture) -> float:
        """Top-1 in percent; BadInput if the table lacks the network."""
        if arch.id not in self._top1:
            raise BadInput(f"network {arch.id} is not in {self.path}")
        return self._unit.percent(self._top1[arch.id])

    def networks(self) -> Genes:
        """(k, n_genes) the networks of the table.

        Raises:
            BadInput: some are named by id alone, and the space has too many to look them up, or lacks one of them.
        """
        by_id = {key: self._archs[key] for key in self._top1 if key in self._archs}
        if missing := [key for key in self._top1 if key not in by_id]:
            if self.space.size > LISTED:
                got = f"{self.path} names network {missing[0]} by its id alone"
                raise BadInput(got, "a column arch (JSON): a search chooses among the networks of the table")
            by_id |= {arch.id: arch for arch in self.space.decode(self.space.all_genes()) if arch.id in self._top1}
        if unknown := [key for key in self._top1 if key not in by_id]:
            raise BadInput(f"network {unknown[0]} of {self.path}", f"ids of networks of space {self.space.name}")
        return self.space.encode([by_id[key] for key in self._top1])

    def _read(self, space: SearchSpace, rows: csv.DictReader[str]) -> None:
        columns = set(rows.fieldnames or ())
        if "top1" not in columns or not columns & {"arch", "id"}:
            raise BadInput(f"{self.path} has columns {listed(sorted(columns))}", "top1 and arch (JSON) or id")
        for row in rows:
            self._add(space, row, f"{self.path}, line {rows.line_num}")

    def _add(self, space: SearchSpace, row: dict[str, str | None], where: str) -> None:
        try:
            top1 = float(row["top1"] or "")
        except ValueError:
            top1 = math.nan
        most = 1 if self._unit.unit == "fraction" else 100
        if not 0 <= top1 <= most:
            raise BadInput(f"{where}: top1 is {row['top1']!r}", f"a {self._unit.unit or 'percent'}, 0 to {most}")
        for name, own in (("space", space.name), ("classes", str(space.classes))):
            if (row.get(name) or own) != own:
                raise BadInput(f"{where}: a network of {name} {row[name]}", f"{name} {own}, as is searched")
        key = row.get("id") or ""
        if row.get("arch") or not key:
            arch = self._arch(space, row.get("arch") or "", where)
            if key not in ("", arch.id):
                raise BadInput(f"{where}: id {key} with the architecture of {arch.id}", "one network")
            key, self._archs[arch.id] = arch.id, arch
        if self._top1.setdefault(key, top1) != top1:
            raise BadInput(f"{where}: network {shown(key)} stands there twice", "one top-1 for each network")

    def _arch(self, space: SearchSpace, text: str, where: str) -> Architecture:
        value = parse_json(text, where)
        try:
            return space.parse(value)
        except BadInput as error:
            raise BadInput(f"{where}: {error.got}", error.allowed, error.remedy) from error
