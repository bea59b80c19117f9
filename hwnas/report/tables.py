"""What the report's tables hold; every number in them carries how it was obtained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np

from hwnas.accuracy.wilson import alike, wilson
from hwnas.export import classes
from hwnas.export.datasheet import RANDOM
from hwnas.report import csv_text, marks
from hwnas.report.cells import Cell, Origin, Table
from hwnas.report.data import Engine, RunData
from hwnas.report.formatting import Scale, label, quantity, scales, significant
from hwnas.report.latency import Agreement, mean_error

_MEANINGS = {
    "measured": "timed, or counted on the images named, with the engine itself on the device named",
    "evaluated": "the network was run on validation images during the search",
    "predicted": "from a latency table that was measured on the device, with the interval checked on whole networks",
    "estimated": "from a data sheet, without the device: good for ranking, not as milliseconds",
    "fitted": "from a model of few networks that were measured on the device",
    "imported": "from somebody else's table",
    "exact": "counted from the network's layers",
    "computed": "by code of the user's own, from the network or its layers",
}
SHOWN = 8  # networks that are listed where none was exported


def engines(run: RunData) -> Table:
    """A row for each exported engine."""
    columns, found = _columns(run), _ordered(run)
    rows = [[_network(run, e), *(cell(e.sheet) for _, cell in columns)] for e in found]
    head = ["Network", *(title for title, _ in columns)]
    places = [run.row_of(_id(run, e)) for e in found]
    return Table(head, rows, "Exported engines", True, places, csv_text.engines(run, found))


def by_class(run: RunData) -> list[tuple[Table, Sequence[str]]]:
    """Accuracy by class of each engine that has it, worst first, and its most frequent confusions in words."""
    found = [(e, classes.rows(e.sheet)) for e in _ordered(run)]
    return [(_of_classes(run, e, rows), classes.sentences(e.sheet)) for e, rows in found if rows]


def _of_classes(run: RunData, engine: Engine, found: Sequence[classes.ClassRow]) -> Table:
    rows = [
        [
            Cell(row.name),
            Cell(f"{row.top1:.1f}", f"{row.low:.1f} to {row.high:.1f}"),
            Cell(str(row.images)),
            Cell(row.taken_for),
        ]
        for row in found
    ]
    named = f"{_network(run, engine).text}, {engine.sheet['engine']['name']}"
    caption = f"{named}: {classes.about(engine.sheet, len(found))}"
    return Table(["Class", "Accuracy (%)", "Images", "Taken for"], rows, caption)


Column = tuple[str, Callable[[Mapping[str, Any]], Cell]]


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
    objective = run.objectives[column]

    def cell(sheet: Mapping[str, Any]) -> Cell:
        if objective.name == "top1" and RANDOM in sheet.get("warnings", []):
            return _cell({"value": None, "how": f"not measured: {RANDOM}"})
        row = run.row_of(run.space.parse(sheet["architecture"]).id)
        searched = None if row is None else {"value": float(run.values[row, column]), "how": objective.how}
        return _cell(sheet["objectives"].get(objective.name, searched), scale.divisor)

    return scale.title, cell


def _measured(sheet: Mapping[str, Any]) -> Cell:
    """The engine's measured latency, and whether it is as predicted."""
    return replace(_cell(sheet["latency"]["measured"]), kept=sheet["latency"]["within_interval"])


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


def _network(run: RunData, engine: Engine) -> Cell:
    kind, key = engine.sheet["engine"], _id(run, engine)
    facts = [kind["name"], kind["precision"], f"batch {kind['batch']}", weights(engine.sheet)]
    facts += [f"in {engine.folder}"] if engine.folder and not engine.link else []
    warnings = [*engine.sheet.get("warnings", []), *marks.warnings(run, engine)]
    link, letter = quote(engine.link or ""), run.letters[key]
    return Cell(key, ", ".join(filter(None, facts)), letter=letter, link=link, warnings=warnings,
                remarks=marks.remarks(run, engine))  # fmt: skip


def weights(sheet: Mapping[str, Any]) -> str:
    """Where an engine's weights are from, in a word or two: two engines of one network may differ in this alone."""
    text = str(sheet.get("weights") or "")
    if text.startswith("random"):
        return "random weights"
    if "fine-tuned" in text or text.startswith("trained on"):
        return "fine-tuned weights"
    return "inherited weights" if text.startswith("inherited") else ""


def _cell(value: Mapping[str, Any] | None, divisor: float = 1.0) -> Cell:
    number, _, interval = quantity(value, divisor).partition(" ")
    how = "not measured" if value is None else str(value.get("how", ""))
    return Cell(number, interval.strip("()"), Origin(how))


def candidates(run: RunData) -> Table:
    """Some of the best networks for the main cost, from the search's own numbers."""
    shown = scales(run)
    found = picked(run)
    rows = [[Cell(run.archs[i].id), *(_plain(run, i, k, s) for k, s in enumerate(shown))] for i in found]
    head = ["Network", *(s.title for s in shown)]
    return Table(head, rows, "Best networks of the search", True, found, csv_text.networks(run, found))


def picked(run: RunData) -> list[int]:
    """At most `SHOWN` indices, spread over the front of the quality and the main cost, in rising order of that."""
    columns = list(dict.fromkeys((run.quality, run.main_cost)))
    best = np.flatnonzero(run.front_of(columns))
    order = best[np.argsort(run.values[best, columns[-1]], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)
    return [int(i) for i in order[np.unique(places)]]


def _plain(run: RunData, row: int, column: int, scale: Scale) -> Cell:
    objective, value = run.objectives[column], float(run.values[row, column])
    images = run.done[row].images if objective.name == "top1" else None
    interval = "" if images is None else _top1_interval(run, value, images, column)
    return Cell(scale.number(value), interval, Origin(objective.how))


def _top1_interval(run: RunData, value: float, images: int, column: int) -> str:
    """The 95 % interval, and whether it cannot be told from the best within the budget."""
    inside = run.values[run.within_budgets, column]
    low, high = wilson(value, images)
    tied = ", as good as the best" if len(inside) and alike(float(inside.max()), value, images) else ""
    return f"{low:.1f}–{high:.1f}{tied}"


def origins(run: RunData) -> Table:
    """How each objective came about, in full."""
    rows = [
        [Cell(label(o.name, o.kind)), Cell(o.name, code=True), Cell("", origin=Origin(o.how)), Cell(o.how)]
        for o in run.objectives
    ]
    return Table(["Objective", "Name", "Kind", "How it was obtained"], rows, "How the objectives were obtained")


def glossary() -> list[tuple[Origin, str]]:
    """What the kinds of numbers mean."""
    return [(Origin(word), meaning) for word, meaning in _MEANINGS.items()]


def agreement(found: Agreement) -> Table:
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
    return Table(top, [list(map(Cell, row)) for row in rows], f"Predicted against measured, {found.title}")


def _share(flags: Any) -> float:
    return float(np.mean(list(flags)))


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"


def _percent(value: Any) -> str:
    return f"{significant(100 * value, 2)} %" if isinstance(value, int | float) else "–"
