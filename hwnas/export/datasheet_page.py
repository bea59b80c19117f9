"""A datasheet as Markdown, for people who need not know this project."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hwnas.export import classes
from hwnas.export.datasheet_schema import RANDOM
from hwnas.export.quantity import Quantity
from profilers.printable import escaped
from profilers.timing.conditions import Conditions

SHOWN = 10  # classes that the head of the page names
NAMES = {"top1": "accuracy (top-1)", "params": "parameters", "madds": "multiply-adds an image"}


def markdown(sheet: Mapping[str, Any]) -> str:
    """The page; control characters of a text that somebody has written into the sheet are shown as such."""
    parts = (_head, _about, _engine, _classes, _selection, _input, _use, _files, _machine)
    blocks = ((*lines, "") for part in parts if (lines := part(sheet)))
    return escaped("\n".join(line for block in blocks for line in block))


def _head(sheet: Mapping[str, Any]) -> list[str]:
    engine, warnings = sheet["engine"], sheet.get("warnings", [])
    batch = "any batch" if engine.get("dynamic_batch") else f"batch {engine['batch']}"
    return [
        f"# {_plain(sheet['name'])}: {engine['name']}, {engine['precision']}, {batch}", "",
        *(line for warning in warnings for line in (f"**Warning: {warning}.**", "")),
        f"{_what(sheet)}: `{engine['file']}` for {engine['profiler']} on {engine['threads']} thread(s). "
        f"{_how_to_run(sheet)} Each quantity below says how it was obtained: "
        "measured (on the machine named at the end), predicted, estimated, counted or imported; brackets are its "
        "interval.",
    ]  # fmt: skip


def _what(sheet: Mapping[str, Any]) -> str:
    if sheet["preprocessing"] is None:
        inputs, outputs = (_listed(sheet[side]) for side in ("inputs", "outputs"))
        return f"A model that takes {inputs or 'nothing'} and gives {outputs}, ready to run"
    labels = sheet["preprocessing"]["labels"]
    shown = ", ".join(map(_plain, [*labels[:SHOWN], *(["…"] if len(labels) > SHOWN else [])]))
    if RANDOM in sheet.get("warnings", []):
        return f"The network of an image classifier of {len(labels)} classes, never trained, to measure its latency"
    return f"An image classifier of {len(labels)} classes ({shown}), ready to run"


def _listed(tensors: Mapping[str, Any]) -> str:
    """As in `tokens` (1 x 128, int64)."""
    texts = (f"{_code(name)} ({_shape(t['shape'])}, {t['dtype']})" for name, t in tensors.items())
    return ", ".join(texts)


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"


def _how_to_run(sheet: Mapping[str, Any]) -> str:
    if sheet["preprocessing"] is None:
        return "`python run.py` says how to give it arrays."
    return "`python run.py IMAGE` names the likeliest classes of an image."


def _plain(text: str) -> str:
    """A name that somebody else chose, without what Markdown would take for its own."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in escaped(" ".join(text.split())))


def _code(text: str) -> str:
    return "`" + escaped(" ".join(text.replace("`", "'").split())) + "`"


def _about(sheet: Mapping[str, Any]) -> list[str]:
    rows = [f"| {NAMES.get(name, _plain(name))} | {_quantity(value)} |" for name, value in sheet["objectives"].items()]
    return [
        "## The network", "", f"{_origin(sheet)} Weights: {_plain(sheet['weights'])}.", "",
        "| known before it was exported | value |", "|---|---|", *rows,
    ]  # fmt: skip


def _origin(sheet: Mapping[str, Any]) -> str:
    model = sheet["model"]
    if model is None and sheet["space"] is None:
        return "The datasheet does not say where it is from."
    if model is None:
        return f"Of the search space {sheet['space']['name']}: `{json.dumps(sheet['architecture'])}`."
    return f"Read from {_code(model['source'])} (SHA-256 {model['sha256'][:16]}, opset {model['opset']})."


def _engine(sheet: Mapping[str, Any]) -> list[str]:
    latency = sheet["latency"]
    return [
        "## This engine", "", "| what | value |", "|---|---|",
        *_latency_rows(latency, "back to back (steady)"),
        *_latency_rows(latency["interrupted"], "after other work (interrupted)"),
        f"| accuracy (top-1) | {_quantity(sheet['accuracy']['top1'])} |",
        *_parity_rows(sheet), *_cost_rows(sheet["runtime_costs"]),
    ]  # fmt: skip


def _classes(sheet: Mapping[str, Any]) -> list[str]:
    """Accuracy by class, for an engine that classified labelled images."""
    found, often = classes.rows(sheet), classes.sentences(sheet)
    if not found or RANDOM in sheet.get("warnings", []):
        return []
    rows = [
        f"| {_plain(r.name)} | {r.right} of {r.images} | {r.top1:.1f} % ({r.low:.1f} to {r.high:.1f}) "
        f"| {_plain(r.taken_for)} |"
        for r in found
    ]
    confused = ["", f"Confused most often: {_plain('; '.join(often))}."] if often else []
    return [
        "## Accuracy by class", "", classes.about(sheet, len(found)), "",
        "| class | right | accuracy | taken for |", "|---|---|---|---|", *rows, *confused,
    ]  # fmt: skip


def _latency_rows(latency: Mapping[str, Any], state: str) -> list[str]:
    rows = [
        f"| latency, {state}, predicted | {_quantity(latency['predicted'])} |",
        f"| latency, {state}, measured | {_quantity(latency['measured'])} |",
    ]
    rows += _speed_rows(latency, state)
    inside = f"| measured within the predicted interval | {_yes(latency['within_interval'])} |"
    return rows if latency["predicted"]["value"] is None else [*rows, inside]


def _speed_rows(latency: Mapping[str, Any], state: str) -> list[str]:
    """What else people ask of a latency; nothing in a datasheet of before."""
    timing, rate = latency["timing"], latency.get("throughput")
    if timing is None or not rate:
        return []
    tails = timing.get("percentiles", {})
    rows = [f"| latency, {state}, {name} | {_quantity(bound)} |" for name, bound in tails.items()]
    median = f"{timing['median_ms']:.4g} ms, of {timing['rounds'] - timing['rejected']} blocks"
    return [f"| latency, {state}, median | {median} |", *rows, f"| throughput, {state} | {_quantity(rate)} |"]


def _input(sheet: Mapping[str, Any]) -> list[str]:
    shape = sheet["preprocessing"]
    if shape is None:
        return [
            "## Input",
            "",
            f"Takes {_listed(sheet['inputs']) or 'nothing'}.",
            "",
            f"Gives {_listed(sheet['outputs'])}.",
        ]
    entry = next(iter(sheet["inputs"].values()))
    source = f" Preprocessing: {shape['source']}." if shape.get("source") else ""
    return [
        "## Input", "",
        f"{shape['layout']}: {_shape(entry['shape'])} "
        f"({'grey' if shape['channels'] == 1 else shape['mode']}), mean {shape['mean']}, std {shape['std']}: "
        f"{shape['note']}.{source} Preprocessing and class names are in datasheet.json and in the metadata of "
        "model.onnx.",
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
    rows += [f"- reached as: {_plain(sheet['host'])}"] if sheet.get("host") else []
    return ["## Measured on", "", *rows, *_conditions(sheet), "", f"hwnas {sheet['version']}, {sheet['created']}."]


def _conditions(sheet: Mapping[str, Any]) -> list[str]:
    """What disturbed, as the device's own sensors say, and what they do not tell."""
    found = (sheet["latency"]["timing"] or {}).get("conditions")
    if not found:
        return []
    said = Conditions(**found)
    return [f"- {_plain(line)}" for line in (*said.remarks(), *([said.missing] if said.missing else []))]


def _parity_rows(sheet: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, p in sheet["parity"].items():
        of = f"parity with {sheet['reference']}, {_plain(name)}"
        same = p["top1_agreement"]
        classes = "" if same is None else f"; top-1 agreement {100 * same:.2f} %"
        rows.append(f"| {of} ({p['images']} in all) | {_difference(p)}{classes} |")
        rows += [f"| {of}, output {_code(k)} | {_difference(v)} |" for k, v in p.get("outputs", {}).items()]
    return rows


def _difference(parity: Mapping[str, Any]) -> str:
    return f"largest difference {parity['max_abs']:.2g} absolute, {parity['max_rel']:.2g} relative"


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
        f"| {c['bytes'] / 1e6:.2f} MB | {c['refused'] or ('a tie' if c.get('tie') else 'allowed')} |"
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
