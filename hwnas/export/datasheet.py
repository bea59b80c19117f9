"""The datasheet of an exported engine, read and written: one versioned JSON schema (`datasheet_schema`).

Every quantity is {"value", "unit", "how", "low", "high"}: `how` starts with measured, predicted, estimated, exact,
evaluated or imported, and `low`..`high` is its interval where it has one. The file carries the SHA-256 of its own
content and of every file of the folder; a changed one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.export.datasheet_page import markdown as markdown
from hwnas.export.datasheet_schema import KIND, Datasheet
from hwnas.export.datasheet_schema import RANDOM as RANDOM
from profilers.errors import BadInput
from profilers.files import inside, read_bytes, read_json, sha256, write_json, write_text

SCHEMA, OLD_SCHEMAS, FILE = 6, (4, 5), "datasheet.json"
REMEDY = "export it again"


def file_facts(folder: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of files in the folder."""
    found = {name: read_bytes(inside(folder, name)) for name in names}
    return {name: {"bytes": len(data), "sha256": sha256(data)} for name, data in found.items()}


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write datasheet.json (with its checksum) and datasheet.md."""
    sheet = {"kind": KIND, "schema": SCHEMA, **content}
    write_json(folder / FILE, {**sheet, "checksum": _checksum(sheet, folder / FILE)})
    write_text(folder / "datasheet.md", markdown(sheet))


def read(folder: Path) -> dict[str, Any]:
    """The datasheet of a folder, with its files' hashes checked.

    Raises:
        BadInput: no datasheet, another schema, an edited datasheet, or a file that differs from its hash.
    """
    path = folder / FILE
    if not path.is_file():
        raise BadInput(f"{folder} has no {FILE}", "a folder made by `hwnas export`")
    found = opened(read_json(path), path)
    _check_files(folder, found["files"])
    return found


def opened(sheet: Any, path: Path) -> dict[str, Any]:
    """A datasheet as its file at `path` has it, checked and under today's names; the engine's files are not.

    Raises:
        BadInput: as `read`.
    """
    known = (*OLD_SCHEMAS, SCHEMA)
    if not isinstance(sheet, dict) or sheet.get("kind") != KIND or sheet.get("schema") not in known:
        raise BadInput(f"{path} is not a datasheet of schema {', '.join(map(str, known))}", remedy=REMEDY)
    stated = sheet.pop("checksum", None)
    if stated != _checksum(sheet, path):
        raise BadInput(f"{path} was changed after it was written", remedy=REMEDY)
    found = _upgraded(sheet)
    check(found | {"checksum": stated}, path)
    return found


def check(sheet: Mapping[str, Any], path: Path) -> None:
    """BadInput unless a datasheet is a `Datasheet` as JSON."""
    from profilers.validation import Style, validate

    validate(Datasheet, sheet, str(path), Style(remedy=REMEDY))


def _check_files(folder: Path, files: Mapping[str, Any]) -> None:
    for name, facts in files.items():
        if sha256(read_bytes(inside(folder, name))) != facts["sha256"]:
            raise BadInput(f"{folder / name} is not the file of its datasheet (SHA-256 differs)", remedy=REMEDY)


def _upgraded(sheet: dict[str, Any]) -> dict[str, Any]:
    """A datasheet of a schema before under today's names; nothing in it has been checked yet."""
    found = {"warnings": _old_warnings(sheet), **sheet}
    if sheet["schema"] == 4:
        found = _from_4(found)
    if sheet["schema"] == SCHEMA:
        return found
    if isinstance(request := found.get("request"), dict):
        found["request"] = {"dynamic_batch": False, "tolerance": None, **request}
    return {**_TORCH, **_ports(found), **found, "schema": SCHEMA}


_TORCH = {"model": None, "reference": "torch"}  # what all datasheets before schema 6 are of


def _from_4(sheet: dict[str, Any]) -> dict[str, Any]:
    found = _renamed(sheet, {"running": "runtime_costs", "contest": "engine_selection"})
    names = {"lost": "accuracy_drop", "drop": "accuracy_drop_interval"}
    selection, latency = found.get("engine_selection"), found.get("latency")
    if isinstance(selection, dict) and isinstance(candidates := selection.get("candidates"), list):
        found["engine_selection"] = selection | {"candidates": [_renamed(c, names) for c in candidates]}
    if isinstance(latency, dict):
        found["latency"] = _timed(latency | {"interrupted": _timed(latency.get("interrupted"))})
    return dict(found)


def _ports(sheet: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs and outputs of a network of a space, whose datasheet did not have them."""
    try:
        how, batch, classes = sheet["preprocessing"], sheet["engine"]["batch"], sheet["space"]["classes"]
        shape = [batch, how["channels"], how["size"], how["size"]]
    except (KeyError, TypeError):
        return {}  # it is refused later
    return {
        "inputs": {"input": {"shape": shape, "dtype": "float32"}},
        "outputs": {"logits": {"shape": [batch, classes], "dtype": "float32"}},
    }


def _timed(latency: Any) -> Any:
    """A latency's section with the timing's keys of today."""
    if not isinstance(latency, dict):
        return latency
    return latency | {"timing": _renamed(latency.get("timing"), {"contended": "contended_fraction"})}


def _renamed(values: Any, names: Mapping[str, str]) -> Any:
    """A mapping with other keys; whatever else it is stays as it is, and is refused later."""
    return {names.get(key, key): value for key, value in values.items()} if isinstance(values, dict) else values


def _old_warnings(sheet: Mapping[str, Any]) -> list[str]:
    """Those of a datasheet that was written before there were any."""
    return [RANDOM] if str(sheet.get("weights")).partition(";")[0] == "random" else []


def _checksum(sheet: Mapping[str, Any], path: Path) -> str:
    try:
        return sha256(json.dumps(sheet, sort_keys=True, allow_nan=False).encode())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} holds a number that is not finite, or is nested too deeply", remedy=REMEDY) from error
