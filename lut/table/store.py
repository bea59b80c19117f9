"""Reading and writing latency tables: strict JSON with a schema version and a checksum over the content.

    {"format": "hwnas-latency-table", "schema": 2, "checksum": SHA-256 of the canonical content, "content": {...}}

Whatever is wrong with a file (truncated, a flipped byte, a wrong type, NaN, a huge number) is one TableError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from lut.table.fields import REMEDY, checked
from lut.table.table import LatencyTable
from lut.table.upgrade import upgrade_table
from profilers.constraints import Pattern, Text
from profilers.errors import BadInput, TableError, shown
from profilers.files import read_json, write_text

FORMAT, SCHEMA, OLD_SCHEMA = "hwnas-latency-table", 2, 1
Upgrade = Callable[[Mapping[str, Any]], dict[str, Any]]
_MOST = 100_000  # threads, and images a run


@dataclass(frozen=True)
class Envelope:
    """What stands around the content of a file of any schema."""

    format: Text
    schema: int
    checksum: Text
    content: dict[str, Any]


@dataclass(frozen=True)
class Document:
    """A file with a latency table."""

    format: Literal["hwnas-latency-table"]
    """The kind of the file."""
    schema: Literal[2]
    """The version of this schema."""
    checksum: Annotated[str, Pattern("[0-9a-f]{64}", "64 hexadecimal digits")]
    """SHA-256 of the content as canonical JSON."""
    content: LatencyTable
    """The table."""


def save(table: LatencyTable, path: Path) -> None:
    """Write the table; an interruption or a full disk leaves the file as it was (FileProblem)."""
    write_document(path, FORMAT, to_json(table))


def load(path: Path) -> LatencyTable:
    """Read a table.

    Raises:
        FileProblem: the file is missing or cannot be read.
        TableError: it is anything but a whole, valid table of this schema.
    """
    return from_json(read_document(path, FORMAT, upgrade_table), str(path))


def write_document(path: Path, format_name: str, content: dict[str, Any]) -> None:
    """Content under its format, schema and checksum, a line for each section; atomic."""
    head = f'"format": "{format_name}",\n"schema": {SCHEMA},\n"checksum": "{checksum(content)}"'
    sections = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content.items())
    write_text(path, f'{{{head},\n"content": {{\n{sections}\n}}}}\n')


def read_document(path: Path, format_name: str, upgrade: Upgrade) -> dict[str, Any]:
    """The content of a document whose format, schema and checksum are right; TableError otherwise.

    One of the schema before is brought to today's keys by `upgrade`. The content itself is still to be checked.
    """
    try:
        value = read_json(path)
    except BadInput as error:
        raise TableError(error.got, "a latency table of hwnas", REMEDY) from error
    if not isinstance(value, dict) or "format" not in value:
        raise TableError(f"{path} is no file of hwnas", "a latency table of hwnas", REMEDY)
    found = checked(Envelope, value, str(path))
    if found.format != format_name or found.schema not in (OLD_SCHEMA, SCHEMA):
        raise TableError(f"{path} is {shown(found.format)} of schema {shown(found.schema)}",
                         f"{format_name} of schema {OLD_SCHEMA} or {SCHEMA}", REMEDY)  # fmt: skip
    if found.checksum != checksum(found.content):
        raise TableError(f"{path} was changed or damaged: its checksum differs", remedy="build or copy the table again")
    return upgrade(found.content) if found.schema == OLD_SCHEMA else found.content


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
    table = checked(LatencyTable, content, where)
    resolutions = list(table.space.resolutions)
    if sorted(set(resolutions)) != resolutions:
        raise TableError(f"{where}: space.resolutions = {shown(resolutions)}", "pixels in rising order", REMEDY)
    if (most := max(table.options.threads, table.options.batch)) > _MOST:
        raise TableError(f"{where}: options: {shown(most)} threads or images a run", f"1 to {_MOST}", REMEDY)
    return table


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
