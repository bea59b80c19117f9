"""The datasheet of an exported engine: one versioned JSON schema, and its Markdown for people.

Every quantity is {"value", "unit", "how", "low", "high"}: `how` starts with measured, predicted, estimated, exact,
evaluated or imported, and `low`..`high` is its interval where it has one. The file carries the SHA-256 of its own
content and of every file of the folder; a changed one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwnas.export.datasheet_schema import KIND, Datasheet
from hwnas.export.quantity import Quantity
from profilers.errors import BadInput
from profilers.files import inside, read_bytes, read_json, sha256, write_json, write_text

SCHEMA, OLD_SCHEMA, FILE = 5, 4, "datasheet.json"
RANDOM = "random weights: for latency only"
SHOWN = 10  # classes that the head of the page names
NAMES = {"top1": "accuracy (top-1)", "params": "parameters", "madds": "multiply-adds an image"}
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
    sheet: Any = read_json(path)
    if not isinstance(sheet, dict) or sheet.get("kind") != KIND or sheet.get("schema") not in (OLD_SCHEMA, SCHEMA):
        raise BadInput(f"{path} is not a datasheet of schema {OLD_SCHEMA} or {SCHEMA}", remedy=REMEDY)
    stated = sheet.pop("checksum", None)
    if stated != _checksum(sheet, path):
        raise BadInput(f"{path} was changed after it was written", remedy=REMEDY)
    found = _upgraded(sheet)
    check(found | {"checksum": stated}, path)
    _check_files(folder, found["files"])
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
    """A datasheet of the schema before under today's names; nothing in it has been checked yet."""
    found = {"warnings": _old_warnings(sheet), **sheet}
    if sheet["schema"] == SCHEMA:
        return found
    found = {**_renamed(found, {"running": "runtime_costs", "contest": "engine_selection"}), "schema": SCHEMA}
    names = {"lost": "accuracy_drop", "drop": "accuracy_drop_interval"}
    selection, latency = found.get("engine_selection"), found.get("latency")
    if isinstance(selection, dict) and isinstance(candidates := selection.get("candidates"), list):
        found["engine_selection"] = selection | {"candidates": [_renamed(c, names) for c in candidates]}
    if isinstance(latency, dict):
        found["latency"] = _timed(latency | {"interrupted": _timed(latency.get("interrupted"))})
    return found


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


def markdown(sheet: Mapping[str, Any]) -> str:
    """The same for people, who need not know this project."""
    parts = (_head, _about, _engine, _selection, _input, _use, _files, _machine)
    blocks = ((*lines, "") for part in parts if (lines := part(sheet)))
    return "\n".join(line for block in blocks for line in block)


def _head(sheet: Mapping[str, Any]) -> list[str]:
    engine, labels, warnings = sheet["engine"], sheet["preprocessing"]["labels"], sheet.get("warnings", [])
    shown = ", ".join([*labels[:SHOWN], *(["…"] if len(labels) > SHOWN else [])])
    what = f"An image classifier of {len(labels)} classes ({shown}), ready to run"
    if RANDOM in warnings:
        what = f"The network of an image classifier of {len(labels)} classes, never trained, to measure its latency"
    return [
        f"# {sheet['name']}: {engine['name']}, {engine['precision']}, batch {engine['batch']}", "",
        *(line for warning in warnings for line in (f"**Warning: {warning}.**", "")),
        f"{what}: `{engine['file']}` for {engine['profiler']} on {engine['threads']} thread(s). "
        "`python run.py IMAGE` names the likeliest classes of an image. Each quantity below says how it was obtained: "
        "measured (on the machine named at the end), predicted, estimated, counted or imported; brackets are its "
        "interval.",
    ]  # fmt: skip


def _about(sheet: Mapping[str, Any]) -> list[str]:
    rows = [f"| {NAMES.get(name, name)} | {_quantity(value)} |" for name, value in sheet["objectives"].items()]
    return [
        "## The network", "",
        f"Of the search space {sheet['space']['name']}: `{json.dumps(sheet['architecture'])}`. "
        f"Weights: {sheet['weights']}.", "",
        "| known before it was exported | value |", "|---|---|", *rows,
    ]  # fmt: skip


def _engine(sheet: Mapping[str, Any]) -> list[str]:
    latency = sheet["latency"]
    return [
        "## This engine", "", "| what | value |", "|---|---|",
        *_latency_rows(latency, "back to back (steady)"),
        *_latency_rows(latency["interrupted"], "after other work (interrupted)"),
        f"| accuracy (top-1) | {_quantity(sheet['accuracy']['top1'])} |",
        *_parity_rows(sheet["parity"]), *_cost_rows(sheet["runtime_costs"]),
    ]  # fmt: skip


def _latency_rows(latency: Mapping[str, Any], state: str) -> list[str]:
    rows = [
        f"| latency, {state}, predicted | {_quantity(latency['predicted'])} |",
        f"| latency, {state}, measured | {_quantity(latency['measured'])} |",
    ]
    inside = f"| measured within the predicted interval | {_yes(latency['within_interval'])} |"
    return rows if latency["predicted"]["value"] is None else [*rows, inside]


def _input(sheet: Mapping[str, Any]) -> list[str]:
    shape = sheet["preprocessing"]
    return [
        "## Input", "",
        f"{shape['layout']}: {sheet['engine']['batch']} x {shape['channels']} x {shape['size']} x {shape['size']} "
        f"({'grey' if shape['channels'] == 1 else shape['mode']}), mean {shape['mean']}, std {shape['std']}: "
        f"{shape['note']}. Preprocessing and class names are in datasheet.json and in the metadata of model.onnx.",
    ]  # fmt: skip


def _use(sheet: Mapping[str, Any]) -> list[str]:
    return [
        "## Load and run it", "", "```python", sheet["snippet"], "```", "",
        "## Make it and check it again", "",
        "`hwnas validate` measures on whatever machine it runs and prints what differs from this sheet.", "",
        "```", *sheet["commands"], "```",
    ]  # fmt: skip


def _files(sheet: Mapping[str, Any]) -> list[str]:
    rows = (f"| {name} | {f['bytes']:,} | {f['sha256']} |" for name, f in sheet["files"].items())
    return ["## Files", "", "| file | bytes | SHA-256 |", "|---|---|---|", *rows]


def _machine(sheet: Mapping[str, Any]) -> list[str]:
    facts = ((k, ", ".join(map(str, v)) if isinstance(v, list) else v) for k, v in sheet["fingerprint"].items())
    rows = [f"- {name}: {value}" for name, value in facts if value not in (None, "")]
    return ["## Measured on", "", *rows, "", f"hwnas {sheet['version']}, {sheet['created']}."]


def _parity_rows(parities: Mapping[str, Any]) -> list[str]:
    return [
        f"| parity with torch, {name} ({p['images']} images) | largest difference {p['max_abs']:.2g} absolute, "
        f"{p['max_rel']:.2g} relative; top-1 agreement {100 * p['top1_agreement']:.2f} % |"
        for name, p in parities.items()
    ]


def _cost_rows(costs: Mapping[str, Any]) -> list[str]:
    rates = [f"| throughput, batch {n} | {_quantity(value)} |" for n, value in costs.get("throughput", {}).items()]
    names = {"cold_start": "cold start", "load": "loading alone", "peak_memory": "peak memory"}
    return rates + [f"| {name} | {_quantity(costs[key])} |" for key, name in names.items() if key in costs]


def _selection(sheet: Mapping[str, Any]) -> list[str]:
    """The table of what else was tried, for an engine that was chosen among several."""
    selection = sheet["engine_selection"]
    if not selection:
        return []
    rows = [
        f"| {c['engine']} {c['precision']} | {_quantity(c['latency']) if c['latency'] else '-'} | {_points(c)} "
        f"| {c['bytes'] / 1e6:.2f} MB | {c['refused'] or 'allowed'} |"
        for c in selection["candidates"]
    ]
    torch = [
        f"| torch, {name} | {_quantity(value)} | | | for comparison |"
        for name, value in selection["references"].items()
    ]
    return [
        "## Why this engine", "", f"{selection['why']}.", "", f"Accuracy {selection['accuracy']}.", "",
        "| engine | latency | points lost | size | |", "|---|---|---|---|---|", *rows, *torch,
    ]  # fmt: skip


def _points(candidate: Mapping[str, Any]) -> str:
    found = candidate.get("accuracy_drop_interval")
    ends = f" ({found['low']:.2f} to {found['high']:.2f})" if found else ""
    return "-" if candidate["accuracy_drop"] is None else f"{candidate['accuracy_drop']:.2f}{ends}"


def _quantity(value: Mapping[str, Any]) -> str:
    return str(Quantity(**value))


def _yes(value: bool | None) -> str:
    return "no prediction for this engine" if value is None else "yes" if value else "no"
