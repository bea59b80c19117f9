"""The chosen networks as CSV, in full digits: to be copied or saved from the page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hwnas.report.data import Engine, RunData

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet's formula begins


def engines(run: RunData, found: Sequence[Engine]) -> str:
    """A row an engine; of each quantity the value, its interval and how it was obtained."""
    rows = []
    for engine in found:
        sheet, kind = engine.sheet, engine.sheet["engine"]
        arch = run.space.parse(sheet["architecture"])
        row: dict[str, Any] = {"network": arch.id, "letter": run.letters[arch.id], "folder": engine.folder}
        row |= {key: kind[key] for key in ("name", "precision", "batch", "threads")} | {"weights": sheet["weights"]}
        quantities = {"top1_measured": sheet["accuracy"]["top1"], "latency_predicted": sheet["latency"]["predicted"]}
        quantities |= {"latency_measured": sheet["latency"]["measured"], **sheet["objectives"]}
        for name, quantity in quantities.items():
            row |= _spread(name, quantity)
        rows.append(row | {"architecture": json.dumps(arch.to_json())})
    return text(rows)


def networks(run: RunData, found: Sequence[int]) -> str:
    """A row an evaluated network, with the ends of its objectives' intervals."""
    rows = []
    for i in found:
        row: dict[str, Any] = {"network": run.archs[i].id}
        for objective in run.objectives:
            ends = run.ends_of(objective.name)
            low, value, high = (None, None, None) if ends is None else ends[i].tolist()
            if objective.name == "top1":
                low, high = run.done[i].top1_interval or (low, high)
            row |= _spread(objective.name, {"value": value, "low": low, "high": high, "how": objective.how})
        rows.append(row | {"architecture": json.dumps(run.archs[i].to_json())})
    return text(rows)


def _spread(name: str, quantity: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: quantity.get("value")}
    return found | {f"{name}_{part}": quantity.get(part) for part in ("low", "high", "how")}


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lines under a head of all columns; "" without rows."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_plain(name) for name in columns])
    writer.writerows([[_plain(row.get(name)) for name in columns] for row in rows])
    return stream.getvalue()


def _plain(value: Any) -> Any:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
