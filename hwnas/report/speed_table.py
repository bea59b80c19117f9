"""How quick each engine is, as a table: the median, what 90 and 99 % of the runs keep, images a second."""

from __future__ import annotations

from hwnas.report.cells import Cell, Origin, Table
from hwnas.report.data import RunData
from hwnas.report.formatting import significant
from hwnas.report.latency import Speed, speeds

_HEAD = ["Engine", "Place", "Median (ms)", "90 % within (ms)", "99 % within (ms)", "Images a second"]
_OLD = "not measured: the engine was exported by a version that kept no single runs"


def table(run: RunData) -> Table | None:
    """A row for each engine that was measured, quickest first; None where there is none."""
    found = sorted(speeds(run), key=lambda speed: (speed.place.rank, speed.ms))
    if not found:
        return None
    rows = [_row(run, speed) for speed in found]
    return Table(_HEAD, rows, "Speed of the engines", True, [run.row_of(speed.name) for speed in found])


def _row(run: RunData, speed: Speed) -> list[Cell]:
    facts = f"{speed.engine}, {speed.precision}, batch {speed.batch}"
    name = Cell(speed.name, facts, letter=run.letters.get(speed.name, ""), warnings=speed.remarks)
    interval = f"{significant(speed.low)} to {significant(speed.high)}"
    median = Cell(significant(speed.ms), interval, Origin(speed.how["ms"]))
    rest = [_figure(getattr(speed, key), speed.how.get(key, _OLD)) for key in ("p90", "p99", "images_s")]
    return [name, Cell(str(speed.place)), median, *rest]


def _figure(value: float | None, how: str) -> Cell:
    """A value by how it was obtained, or why there is none."""
    if value is None:
        return Cell("–", origin=Origin(how if how.startswith("not measured") else _OLD))
    return Cell(significant(value), origin=Origin(how))
