"""Exported engines as rows for programs and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from hwnas.api.display import table as people_table
from hwnas.export.parity import NOISE


def export_row(sheet: dict[str, Any]) -> dict[str, Any]:
    """What a program wants to know of an exported engine."""
    latency, parity, selection = sheet["latency"], sheet["parity"].get(NOISE, {}), sheet["engine_selection"]
    figures = {
        "id": sheet["name"],
        "engine": sheet["engine"]["name"],
        "precision": sheet["engine"]["precision"],
        "predicted_ms": latency["predicted"]["value"],
        "measured_ms": latency["measured"]["value"],
        "within_interval": latency["within_interval"],
        **{f"{name}_ms": bound["value"] for name, bound in (latency["timing"] or {}).get("percentiles", {}).items()},
        "images_s": (latency.get("throughput") or {}).get("value"),
        "parity_max_abs": parity.get("max_abs"),
        "top1": sheet["accuracy"]["top1"]["value"],
        "top1_low": sheet["accuracy"]["top1"].get("low"),
        "top1_high": sheet["accuracy"]["top1"].get("high"),
        "warnings": sheet["warnings"],
    }
    return figures | ({"engine_selection": selection} if selection else {})


def selection_table(sheet: dict[str, Any]) -> Table:
    """All candidates of one network, fastest first, and torch as a reference."""
    selection, place = sheet["engine_selection"], f"on {sheet['host']}" if sheet.get("host") else "here"
    table = Table(title=f"{sheet['name']}: every engine {place}", caption=f"top-1 {selection['accuracy']}")
    for column in ("engine", "ms", "x", "top-1", "points lost", "parity", "MB", "allowed"):
        table.add_column(column, justify="right", no_wrap=column == "engine")
    rows = sorted(selection["candidates"], key=lambda c: c["latency"]["value"] if c["latency"] else float("inf"))
    winner = next(c["latency"]["value"] for c in rows if not c["refused"])
    for c in rows:
        parity = "-" if c["parity"] is None else f"{c['parity']['max_rel']:.1g}"
        table.add_row(
            f"{c['engine']} {c['precision']}",
            *_ratio(c["latency"], winner, bool(c.get("tie"))),
            _number(c["top1"], 2),
            _number(c["accuracy_drop"], 2),
            parity,
            _number(c["bytes"] / 1e6 or None, 2),
            "no" if c["refused"] else "yes",
        )
    for name, quantity in selection["references"].items():
        table.add_row(f"torch {name}", *_ratio(quantity, winner))
    return table


def selection_reasons(selection: dict[str, Any]) -> list[str]:
    """Why it was chosen, why others were not, and why torch is not there."""
    refused = [f"{c['engine']} {c['precision']}: {c['refused']}" for c in selection["candidates"] if c["refused"]]
    absent = [f"torch {name}: {f['how']}" for name, f in selection["references"].items() if f["value"] is None]
    return [f"chosen: {selection['why']}", *refused, *absent]


def _ratio(quantity: dict[str, Any] | None, winner: float, tie: bool = False) -> tuple[str, str]:
    """A latency, and how many times the winner's it is; "=" where they are a tie."""
    if quantity is None or quantity["value"] is None:
        return "-", "-"
    return interval(quantity), f"{quantity['value'] / winner:.2f}{' =' * tie}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def changes_table(found: Mapping[str, Any]) -> Table:
    """What `validate` found, beside what the datasheet says."""
    table = Table(title="The datasheet, and what was measured now")
    for column in ("quantity", "datasheet", "now", "change"):
        table.add_column(column, justify="right")
    for name, row in found["changes"].items():
        change = "-" if row["change"] is None else f"{100 * row['change']:+.1f} %{' (tie)' * bool(row['tie'])}"
        table.add_row(name, f"{row['datasheet']:.4g} {row['unit']}", f"{row['here']:.4g} {row['unit']}", change)
    return table


def engines_table(sheets: dict[str, dict[str, Any]]) -> Table:
    """The chosen networks for people, narrow enough for 80 columns."""
    first = next(iter(sheets.values()))
    others = [name for name, f in first["objectives"].items() if f["how"].startswith("estimated")]
    measured = first["latency"]["measured"]
    caption = f"top-1: {_judged(first)}; ms: this engine" + "".join(f"; {n}: estimated" for n in others)
    columns = ("id", "top-1", "params", "MAdds", "predicted ms", "measured ms", *(others or ["p99 ms"]))
    table = people_table("Exported engines", columns, caption if measured["value"] else measured["how"])
    for sheet in sheets.values():
        latency, top1, objectives = sheet["latency"], sheet["accuracy"]["top1"], sheet["objectives"]
        table.add_row(
            sheet["name"],
            _accuracy(top1),
            short(objectives["params"]["value"]),
            short(objectives["madds"]["value"]),
            interval(latency["predicted"]),
            interval(latency["measured"]),
            *(f"{objectives[name]['value']:.3g}" for name in others),
            *([] if others else [_p99(latency["timing"])]),
        )
    return table


def _p99(timing: dict[str, Any] | None) -> str:
    """Of single runs; "-" where there were too few."""
    bound = (timing or {}).get("percentiles", {}).get("p99", {}).get("value")
    return "-" if bound is None else f"{bound:.3g}"


def _accuracy(quantity: dict[str, Any]) -> str:
    """A top-1 as "91.67 % (80.5 to 96.7)", without the interval where it has none."""
    if quantity["value"] is None:
        return "-"
    ends = f" ({quantity['low']:.1f} to {quantity['high']:.1f})" if quantity.get("low") is not None else ""
    return f"{quantity['value']:.2f} %{ends}"


def _judged(sheet: dict[str, Any]) -> str:
    """What the accuracy of an engine is of, or that there is none."""
    accuracy = sheet["accuracy"]
    if accuracy["top1"]["value"] is None:
        return "not measured"
    images = accuracy["dataset"] if sheet["model"] else f"the {accuracy['split']} split"
    return f"this engine on {images}"


def short(value: float | None) -> str:
    """A count as 3.41 M or 39.4 k."""
    if value is None:
        return "-"
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"


def interval(quantity: dict[str, Any]) -> str:
    """A latency as "1.23 ±0.01" (the wider side of its interval), or "-" where there is none."""
    value, low, high = (quantity.get(k) for k in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "-" if value is None else f"{value:.3g}"
    return f"{value:.3g} ±{max(value - low, high - value):.1g}"
