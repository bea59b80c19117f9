"""Importing and exporting published formats; a round trip gives the same predictions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from lut.formats import nsganetv2_yaml
from lut.formats.names import Format, get_format
from lut.protocols import Space
from lut.table.entry import Entry
from lut.table.fields import number
from lut.table.table import LatencyTable, SpaceId
from profilers.base import UNSTATED, Options
from profilers.errors import BadInput, TableError, listed
from profilers.files import read_text, write_text

_MS = 1e7
NOT_IN_FORMAT = Entry(1e-6, 0.0, 1)  # a nanosecond: the format charges such a layer (pooling) to no entry of its own


def import_table(format_name: str, space: Space, paths: Sequence[Path], device: str = "") -> LatencyTable:
    """Read published files into a table of `space`, status "imported".

    Args:
        format_name: a key of `FORMATS`.
        space: whose layers, at its resolutions, are wanted; what else the files hold is left out.
        paths: one or more files; where several hold a layer, its mean by count is taken.
        device: its name; the first file's by default.

    Raises:
        TableError: a file that is not of the format, or layers of `space` that no file holds (how many, which first).
    """
    form = get_format(format_name)
    if not paths:
        raise BadInput("no file", "one file or more")
    texts = {path: read_text(path) for path in paths}
    found: dict[str, list[Entry]] = {}
    for path, text in texts.items():
        for name, fields in nsganetv2_yaml.parse(text, str(path)).items():
            found.setdefault(name, []).append(_entry(form, fields, f"{path}: {name}"))
    hashes = {path.name: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
    return LatencyTable(
        SpaceId.of(space),
        _entries(form, space, found, paths[0]),
        "imported",
        form.name,
        device or paths[0].stem,
        Options(state=UNSTATED),
        provenance={"source": ", ".join(p.name for p in paths), "sha256": hashes},
    )


def export_table(table: LatencyTable, format_name: str, space: Space, out: Path) -> list[Path]:
    """Write the table; formats of a file per resolution take `out` as a folder. Returns the files.

    Calibration and interval have no place in these formats and are left out.
    """
    form = get_format(format_name)
    entries = table.bind(space).entries
    pages = {r: _page(form, entries, form.names(space, r)) for r in space.resolutions}
    if form.file_per_resolution:
        files = {out / f"{r}_lookup_table.yaml": page for r, page in pages.items()}
    else:
        files = {out: {name: fields for page in pages.values() for name, fields in page.items()}}
    for path, page in files.items():
        write_text(path, nsganetv2_yaml.write(page))
    return list(files)


def _entries(form: Format, space: Space, found: Mapping[str, list[Entry]], first: Path) -> dict[str, Entry]:
    observed: dict[str, list[Entry]] = {}
    wanted: dict[str, str] = {}
    entries: dict[str, Entry] = {}
    for resolution in space.resolutions:
        for key, name in form.names(space, resolution).items():
            if name is None:
                entries[key] = NOT_IN_FORMAT
            else:
                wanted[key] = name
                observed.setdefault(key, []).extend(found.get(name, []))
    missing = [wanted[key] for key, values in observed.items() if not values]
    if missing:
        raise TableError(
            f"{first} lacks {len(missing)} of the {len(wanted)} layers of {space.name}, first {missing[0]}",
            "a table of this space and resolutions",
            "--resolutions of the table, or another --space",
        )
    return entries | {key: _merged(values) for key, values in observed.items()}


def _merged(values: Sequence[Entry]) -> Entry:
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1:
        return distinct[0]
    n = sum(e.n for e in distinct)
    se = math.sqrt(sum((e.se * e.n) ** 2 for e in distinct)) / n
    return Entry(sum(e.ms * e.n for e in distinct) / n, se, n)


def _entry(form: Format, fields: Mapping[str, float], where: str) -> Entry:
    wanted = {"mean", form.spread} | ({"count"} if form.counted else set())
    if set(fields) != wanted:
        raise TableError(f"{where} has the fields {listed(sorted(fields))}", ", ".join(sorted(wanted)), "--format")
    n = int(number(fields.get("count", 1.0), 1, 1e9, where))
    ms, spread = number(fields["mean"], 1e-9, _MS, where), number(fields[form.spread], 0, _MS, where)
    deviation = math.sqrt(spread) if form.spread == "var" else spread
    return Entry(ms, deviation / math.sqrt(n), n)


def _page(form: Format, entries: Mapping[str, Entry], names: Mapping[str, str | None]) -> dict[str, dict[str, float]]:
    return {name: _fields(form, entries[key]) for key, name in names.items() if name is not None}


def _fields(form: Format, entry: Entry) -> dict[str, float]:
    deviation = entry.se * math.sqrt(entry.n)
    count: dict[str, float] = {"count": entry.n} if form.counted else {}
    return {**count, "mean": entry.ms, form.spread: deviation**2 if form.spread == "var" else deviation}
