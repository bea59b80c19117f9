"""Reading and writing latency tables: strict JSON with a schema version and a checksum over the content.

    {"format": "hwnas-latency-table", "schema": 2, "checksum": SHA-256 of the canonical content, "content": {...}}

Whatever is wrong with a file (truncated, a flipped byte, a wrong type, NaN, a huge number) is one TableError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lut.estimate.correction import TERMS, Calibration, Interval
from lut.table.entry import Entry
from lut.table.fields import Fields, integer, number, refuse
from lut.table.table import STATUSES, LatencyTable, SpaceId
from lut.table.upgrade import upgrade_table
from profilers.base import STATES, UNSTATED, Options
from profilers.errors import BadInput, TableError
from profilers.files import read_json, write_text
from profilers.timing.fingerprint import Fingerprint

FORMAT, SCHEMA, OLD_SCHEMA = "hwnas-latency-table", 2, 1
Upgrade = Callable[[Mapping[str, Any]], dict[str, Any]]
_MS = 1e7  # longest latency that is believed, nearly three hours
_COUNT = 10**9
_PIXELS = 10_000


def save(table: LatencyTable, path: Path) -> None:
    """Write the table; an interruption or a full disk leaves the file as it was (FileProblem)."""
    write_document(path, FORMAT, to_json(table))


def load(path: Path) -> LatencyTable:
    """Read a table.

    Raises:
        FileProblem: the file is missing or cannot be read.
        TableError: it is anything but a whole, valid table of this schema.
    """
    return from_json(read_document(path, FORMAT, upgrade_table).raw, str(path))


def write_document(path: Path, format_name: str, content: dict[str, Any]) -> None:
    """Content under its format, schema and checksum, a line for each section; atomic."""
    head = f'"format": "{format_name}",\n"schema": {SCHEMA},\n"checksum": "{checksum(content)}"'
    sections = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content.items())
    write_text(path, f'{{{head},\n"content": {{\n{sections}\n}}}}\n')


def read_document(path: Path, format_name: str, upgrade: Upgrade) -> Fields:
    """The content of a document whose format, schema and checksum are right; TableError otherwise.

    One of the schema before is brought to today's keys by `upgrade`.
    """
    try:
        document = Fields(read_json(path), str(path))
    except TableError:
        raise
    except BadInput as error:
        raise TableError(f"{path} cannot be read: {error.got}", remedy="build the table again") from error
    document.exactly({"format", "schema", "checksum", "content"})
    document.text("format", (format_name,))
    schema = document.integer("schema", OLD_SCHEMA, SCHEMA)
    if document.text("checksum") != checksum(document.mapping("content")):
        raise TableError(f"{path} was changed or damaged: its checksum differs", remedy="build or copy the table again")
    content = document.mapping("content")
    return Fields(upgrade(content) if schema == OLD_SCHEMA else content, str(path))


def checksum(content: dict[str, Any]) -> str:
    """SHA-256 over the content's canonical JSON, so that layout does not matter and every value does."""
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
    except (ValueError, RecursionError) as error:
        raise TableError(f"a latency table holds a value that is not a finite number ({error})") from error


def to_json(table: LatencyTable) -> dict[str, Any]:
    """The content as plain JSON values."""
    optional = {"calibration": table.calibration, "interval": table.interval}
    return {
        "space": {**asdict(table.space), "resolutions": list(table.space.resolutions)},
        "status": table.status,
        "method": table.method,
        "device": table.device,
        "options": asdict(table.options),
        "fingerprint": None if table.fingerprint is None else table.fingerprint.to_json(),
        **{name: None if value is None else _plain(asdict(value)) for name, value in optional.items()},
        "verify": None if table.verify is None else dict(table.verify),
        "provenance": dict(table.provenance),
        "entries": {key: list(entry) for key, entry in table.entries.items()},
        "observations": dict(table.observations),
    }


def from_json(content: Any, where: str) -> LatencyTable:
    """The table of a content that `to_json` made; TableError names the first field that is not what it must be."""
    f = Fields(content, where)
    f.exactly({field.name for field in fields(LatencyTable)})
    return LatencyTable(
        space=_space(f.mapping("space"), where),
        entries={k: _entry(k, v, where) for k, v in f.mapping("entries").items()},
        status=f.text("status", STATUSES),
        method=f.text("method"),
        device=f.text("device"),
        options=_options(f.mapping("options"), where),
        fingerprint=f.optional("fingerprint", lambda v: _fingerprint(v, where)),
        calibration=f.optional("calibration", lambda v: _calibration(v, where)),
        interval=f.optional("interval", lambda v: _interval(v, where)),
        verify=f.optional("verify", lambda _: f.free("verify")),
        provenance=f.free("provenance"),
        observations=f.free("observations"),
    )


def _space(value: Any, where: str) -> SpaceId:
    f = Fields(value, f"{where}: space")
    f.exactly({"name", "signature", "resolutions", "classes"})
    resolutions = [integer(r, 1, _PIXELS, f"{where}: resolutions") for r in f.list("resolutions", _PIXELS)]
    if not resolutions or sorted(set(resolutions)) != resolutions:
        raise refuse(f"{where}: resolutions", resolutions, "pixels in rising order")
    return SpaceId(f.text("name"), f.text("signature"), tuple(resolutions), f.integer("classes", 1, _COUNT))


def _entry(key: str, value: Any, where: str) -> Entry:
    at = f"{where}: entry {key!r}"
    if not isinstance(value, list) or len(value) != 3:
        raise refuse(at, value, "[ms, standard error, observations]")
    ms = number(value[0], 0.0, _MS, at)
    if ms == 0.0:
        raise refuse(at, ms, "more than 0 ms")
    return Entry(ms, number(value[1], 0.0, _MS, at), integer(value[2], 1, _COUNT, at))


def _options(value: Any, where: str) -> Options:
    f = Fields({"state": UNSTATED, **value}, f"{where}: options")  # tables of earlier versions have no state
    f.exactly({field.name for field in fields(Options)})
    counts = {name: f.integer(name, 1, 100_000) for name in ("threads", "batch")}
    state = f.text("state", (*STATES, UNSTATED))
    return Options(**counts, precision=f.text("precision"), optimization=f.text("optimization"), state=state)


def _fingerprint(value: Any, where: str) -> Fingerprint:
    try:
        return Fingerprint.from_json(value)
    except BadInput as error:
        raise TableError(f"{where}: {error.got}", error.allowed, "build the table again") from error


def _calibration(value: Any, where: str) -> Calibration:
    f, at = Fields(value, f"{where}: calibration"), f"{where}: calibration weights"
    f.exactly({field.name for field in fields(Calibration)})
    weights = f.list("weights", len(TERMS))
    if len(weights) != len(TERMS):
        raise refuse(at, weights, f"{len(TERMS)} numbers")
    a, b, c, d = (number(w, -_MS, _MS, at) for w in weights)
    errors = {name: f.number(name, 0.0, 1e3) for name in ("error_before", "error_after")}
    return Calibration((a, b, c, d), f.integer("networks", 1, _COUNT), **errors)


def _interval(value: Any, where: str) -> Interval:
    f = Fields(value, f"{where}: interval")
    f.exactly({field.name for field in fields(Interval)})
    lower, upper = f.number("lower", 0.0, 1.0), f.number("upper", 1.0, 1e3)
    return Interval(lower, upper, f.number("coverage", 0.0, 1.0), f.integer("networks", 0, _COUNT), f.text("source"))


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
