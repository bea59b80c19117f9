"""The report's tables; every number in them carries how it was obtained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np

from hwnas.accuracy.wilson import alike, wilson
from hwnas.export.datasheet import RANDOM
from hwnas.report.data import Engine, RunData
from hwnas.report.html import Html, join, table, tag
from hwnas.report.latency import Agreement, mean_error
from hwnas.report.words import Scale, figure, label, origin, scales, significant

_MEANINGS = {
    "measured": "timed, or counted on the images named, with the engine itself on the device named",
    "evaluated": "the network was run on validation images during the search",
    "predicted": "from a latency table that was measured on the device, with the interval checked on whole networks",
    "estimated": "from a data sheet, without the device: good for ranking, not as milliseconds",
    "fitted": "from a model of few networks that were measured on the device",
    "imported": "from somebody else's table",
    "exact": "counted from the network's layers",
}
SHOWN = 8  # networks that are listed where none was exported


def badge(how: str) -> Html:
    """The first word of how a number was obtained, the whole in its tooltip."""
    word = origin(how)
    return tag("span", word, class_=f"badge {word.replace(' ', '-')}", title=how)


def engines(run: RunData) -> Html:
    """A row for each exported engine."""
    columns = _columns(run)
    rows = [[_network(run, e), *(cell(e.sheet) for _, cell in columns)] for e in _ordered(run)]
    return table(["Network", *(title for title, _ in columns)], rows, caption="Exported engines", class_="numbers")


Column = tuple[str, Callable[[Mapping[str, Any]], Html]]


def _columns(run: RunData) -> list[Column]:
    """Accuracies, the costs, and the engine's own latency, behind the objective that predicts it if there is one."""
    shown = scales(run)
    found: list[Column] = [
        (f"{_judged(run)} accuracy (%)", lambda sheet: _cell(sheet["accuracy"]["top1"])),
        _objective(run, run.quality, replace(shown[run.quality], label="In the search")),
        *(_objective(run, i, shown[i]) for i in run.costs),
    ]
    predicted: Column = ("Engine, predicted (ms)", lambda sheet: _cell(sheet["latency"]["predicted"]))
    measured: Column = ("Engine, measured (ms)", _measured)
    at = next((k for k, i in enumerate(run.costs, 3) if _predicts(run, run.objectives[i].name)), None)
    return [*found, predicted, measured] if at is None else [*found[:at], measured, *found[at:]]


def _judged(run: RunData) -> str:
    """The split that all engines were judged on, as a heading begins."""
    splits = {e.sheet["accuracy"].get("split") for e in run.chosen} - {None}
    return str(splits.pop()).capitalize() if len(splits) == 1 else "Measured"


def _objective(run: RunData, column: int, scale: Scale) -> Column:
    """An objective by the datasheet, or by the search where the engine was exported without it.

    The accuracy of the search is not that of an engine with random weights.
    """
    objective, rows = run.objectives[column], {arch.id: i for i, arch in enumerate(run.archs)}

    def cell(sheet: Mapping[str, Any]) -> Html:
        if objective.name == "top1" and RANDOM in sheet.get("warnings", []):
            return _cell({"value": None, "how": f"not measured: {RANDOM}"})
        row = rows.get(run.space.parse(sheet["architecture"]).id)
        searched = None if row is None else {"value": float(run.values[row, column]), "how": objective.how}
        return _cell(sheet["objectives"].get(objective.name, searched), scale.divisor)

    return scale.title, cell


def _measured(sheet: Mapping[str, Any]) -> Html:
    """The engine's measured latency, and whether it is as predicted."""
    cell, inside = _cell(sheet["latency"]["measured"]), sheet["latency"]["within_interval"]
    if inside is None:
        return cell
    text = "✓ in the predicted range" if inside else "✗ outside the predicted range"
    return join([cell, tag("span", text, class_="verdict kept" if inside else "verdict missed")])


def _predicts(run: RunData, name: str) -> bool:
    """Whether this objective is every engine's own predicted latency."""
    predictions = [e.sheet["latency"]["predicted"]["value"] for e in run.chosen]
    searched = [e.sheet["objectives"].get(name, {}).get("value") for e in run.chosen]
    pairs = zip(predictions, searched, strict=True)
    return all(a is not None and b is not None and math.isclose(a, b, rel_tol=1e-6) for a, b in pairs)


def _ordered(run: RunData) -> list[Engine]:
    order = list(run.letters)
    return sorted(run.chosen, key=lambda e: (order.index(_id(run, e)), str(e.sheet["engine"]["name"])))


def _id(run: RunData, engine: Engine) -> str:
    return run.space.parse(engine.sheet["architecture"]).id


def _network(run: RunData, engine: Engine) -> Html:
    kind, key = engine.sheet["engine"], _id(run, engine)
    name = tag("a", key, href=quote(engine.link)) if engine.link else tag("span", key)
    facts = [kind["name"], kind["precision"], f"batch {kind['batch']}", *engine.sheet.get("warnings", [])]
    about = ", ".join(facts)
    return join([tag("span", run.letters[key], class_="letter"), name, tag("span", about, class_="range")])


def _cell(value: Mapping[str, Any] | None, divisor: float = 1.0) -> Html:
    number, _, rest = figure(value, divisor).partition(" ")
    how = "not measured" if value is None else str(value.get("how", ""))
    interval = tag("span", rest.strip("()"), class_="range") if rest else ""
    return join([number, interval, badge(how)])


def candidates(run: RunData) -> Html:
    """Some of the best networks for the main cost, from the search's own numbers."""
    shown = scales(run)
    rows = [[run.archs[i].id, *(_plain(run, i, k, s) for k, s in enumerate(shown))] for i in picked(run)]
    return table(["Network", *(s.title for s in shown)], rows, caption="Best networks of the search", class_="numbers")


def picked(run: RunData) -> list[int]:
    """At most `SHOWN` indices, spread over the front of the quality and the main cost, in rising order of that."""
    columns = list(dict.fromkeys((run.quality, run.main_cost)))
    best = np.flatnonzero(run.front_of(columns))
    order = best[np.argsort(run.values[best, columns[-1]], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)
    return [int(i) for i in order[np.unique(places)]]


def _plain(run: RunData, row: int, column: int, scale: Scale) -> Html:
    images, value = run.done[row].images, float(run.values[row, column])
    if run.objectives[column].name == "top1" and images is not None:
        inside = run.values[run.inside, column]
        low, high = wilson(value, images)
        tied = ", as good as the best" if len(inside) and alike(float(inside.max()), value, images) else ""
        ends = tag("span", f"{low:.1f}–{high:.1f}{tied}", class_="range")
        return join([scale.number(value), ends, badge(run.objectives[column].how)])
    return join([scale.number(float(run.values[row, column])), badge(run.objectives[column].how)])


def origins(run: RunData) -> Html:
    """How each objective came about, in full."""
    rows = [[label(o.name), tag("code", o.name), badge(o.how), o.how] for o in run.objectives]
    return table(["Objective", "Name", "Kind", "How it was obtained"], rows, caption="How the objectives were obtained")


def glossary() -> Html:
    """What the badges mean."""
    return tag("dl", *(tag("div", tag("dt", badge(w)), tag("dd", m)) for w, m in _MEANINGS.items()), class_="glossary")


def agreement(found: Agreement) -> Html:
    """The figures that go with predicted against measured."""
    rows = [
        [name, str(len(pairs)), _percent(mean_error(pairs)), _percent(_share(p.inside for p in pairs))]
        for name, pairs in (("exported engines", found.engines), ("networks the table was fitted to", found.networks))
        if pairs
    ]
    if v := found.verify:
        figures = [_count(v.get("networks")), _percent(v.get("mape")), _percent(v.get("coverage"))]
        rows.append(["fresh random networks (lut verify)", *figures])
    top = ["Checked on", "Networks", "Mean error", "In the interval"]
    return table(top, rows, caption=f"Predicted against measured, {found.title}")


def _share(flags: Any) -> float:
    return float(np.mean(list(flags)))


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"


def _percent(value: Any) -> str:
    return f"{significant(100 * value, 2)} %" if isinstance(value, int | float) else "–"
