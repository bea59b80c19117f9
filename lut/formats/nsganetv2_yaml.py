"""The subset of YAML that published latency tables use, read safely and fast (12,000 lines in some 10 ms).

    name:            a line without indentation, up to its last colon
      field: number  indented lines below it

Anything else (tags, anchors, lists, nesting, strings) is refused with its line number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from profilers.errors import TableError, shown

_NAME = re.compile(r"([^\s#&*!|>{}\[\]\"'%@`][^\s#]*):\s*")
_FIELD = re.compile(r"[ ]+([A-Za-z_]+):\s+([-+.0-9eE]+)\s*")


def parse(text: str, where: str) -> dict[str, dict[str, float]]:
    """Fields by name; TableError names the first line that is not what it must be."""
    found: dict[str, dict[str, float]] = {}
    fields: dict[str, float] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#") or line == "---":
            continue
        if line[0] != " " and (match := _NAME.fullmatch(line)):
            if match[1] in found:
                raise TableError(f"{where}, line {number}: {match[1]} stands there twice")
            fields = found[match[1]] = {}
        elif fields is not None and (match := _FIELD.fullmatch(line)) and match[1] not in fields:
            fields[match[1]] = _number(match[2], where, number)
        else:
            allowed = "lines `name:` and indented lines `field: number`"
            raise TableError(f"{where}, line {number} is {shown(line)}", allowed, "check the file and --format")
    if not found:
        raise TableError(f"{where} holds no layer", "a published latency table")
    return found


def write(layers: Mapping[str, Mapping[str, float]]) -> str:
    """The inverse of `parse`, sorted by name as the published files are; numbers keep every digit."""
    lines = []
    for name in sorted(layers):
        lines.append(f"{name}:")
        lines += [f"  {field}: {value!r}" for field, value in layers[name].items()]
    return "\n".join(lines) + "\n"


def _number(text: str, where: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TableError(f"{where}, line {line}: {shown(text)}", "a finite number")
    return value
