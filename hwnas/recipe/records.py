"""What stages leave each other in files, read and checked: a recipe's folder may be somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from profilers.constraints import Latency, Pattern, Share, Text
from profilers.files import parse_json, read_json, read_text
from profilers.validation import Style, validate

STYLE = Style(remedy="remove it; the same command makes it anew")
Percent = Annotated[float, Interval(ge=0, le=100)]
FileName = Annotated[str, Pattern(r"(?!\.)[^/\\\x00-\x1f\x7f]{1,200}", "a name without folders")]


@dataclass(frozen=True)
class Trained:
    """A network that was fine-tuned: its folder and its file are called by its id."""

    id: FileName
    val_top1: Percent
    val_top1_before: Percent | None = None
    arch: dict[str, Any] | None = None


@dataclass(frozen=True)
class Validated:
    """An engine that was measured again."""

    measured_ms: Latency
    measured_low: Latency
    measured_high: Latency
    top1_agreement: Share | None


@dataclass(frozen=True)
class Compared:
    """A network beside the engines."""

    name: Text
    ms: Latency | None
    top1: Percent | None = None
    top1_low: Percent | None = None
    top1_high: Percent | None = None


def trained(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    places = {f"{path}, line {i}": line for i, line in enumerate(read_text(path).splitlines(), 1)}
    return [_checked(Trained, parse_json(line, where), where) for where, line in places.items()]


def validated(path: Path) -> dict[str, Any]:
    """What was found of one engine."""
    return _checked(Validated, read_json(path), f"{path}")


def compared(path: Path) -> list[dict[str, Any]]:
    """The networks of a comparison."""
    found = read_json(path)
    rows = validate(list[Any], found.get("networks") if isinstance(found, dict) else None, str(path), STYLE)
    return [_checked(Compared, row, f"{path}, network {i}") for i, row in enumerate(rows, 1)]


def _checked(kind: type[Any], row: Any, where: str) -> dict[str, Any]:
    """The row as it is, of which what is read further on is as `kind` says."""
    names = {field.name for field in fields(kind)}
    known = {k: v for k, v in row.items() if k in names} if isinstance(row, Mapping) else row
    validate(kind, known, where, STYLE)
    return dict(row)
