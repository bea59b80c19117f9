"""Known accuracies: a CSV file."""

from __future__ import annotations

import csv
import io
import json
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.mutations import of_bytes

CELLS = (
    "", "nan", "inf", "-1", "1e999", "101", "0.5", "1_0", "٧٥", "0x10", "75,0", "\0", "\x1b[31m",
    "x" * 200_000, "9" * 5000, '"', "\u2028", "{}", "[]", "null", '{"ks": [3]}', "=1+1", "../../x", "\ud800",
)  # fmt: skip


def _prepare(folder: Path) -> None:
    import hwnas

    space = hwnas.get_space("tiny")
    archs = space.decode(space.sample(10, np.random.default_rng(0)))
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["arch", "top1", "space", "classes"])
    rows.writerows([[json.dumps(a.to_json()), 70 + i / 4, "tiny", space.classes] for i, a in enumerate(archs)])
    (folder / "a.csv").write_text(out.getvalue(), newline="")
    (folder / "archs.jsonl").write_text("\n".join(json.dumps(a.to_json()) for a in archs))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    data = (prepared / "a.csv").read_bytes()
    what, data = of_bytes(random, data) if random.random() < 0.5 else _cells(random, data)
    (here / "a.csv").write_bytes(data)
    archs = (prepared / "archs.jsonl").read_text().splitlines()
    return Case(what, (partial(looked_up, archs, Path("a.csv")),), lambda i, out: _wrong(out))


def _cells(random: Random, data: bytes) -> tuple[str, bytes]:
    rows = list(csv.reader(io.StringIO(data.decode())))
    row, cell = random.randrange(len(rows)), random.choice(CELLS)
    column = random.randrange(len(rows[row]) + 1)
    rows[row][column : column + 1] = [cell] * random.choice((0, 1, 1, 1, 3))
    if random.random() < 0.2:
        rows.insert(random.randrange(len(rows)), list(random.choice(rows)))
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return f"row {row}, column {column} is {cell!a:.30}", out.getvalue().encode("utf-8", "surrogatepass")


def looked_up(lines: list[str], path: Path) -> str:
    """The accuracies that are found."""
    import hwnas
    from hwnas.accuracy.table import AccuracyTable
    from profilers.errors import HwnasError

    space = hwnas.get_space("tiny")
    table, found = AccuracyTable(path, space), []
    for line in lines:
        try:
            found.append(table.evaluate(space.parse(json.loads(line))))
        except HwnasError:
            found.append(-1.0)
    return json.dumps(found)


def _wrong(output: str) -> str:
    bad = [value for value in json.loads(output) if value != -1 and not 0 <= value <= 100]
    return f"top-1 {bad}" if bad else ""


KIND = Kind("accuracy-table", "table: CSV", _prepare, _mutate, short=15)
