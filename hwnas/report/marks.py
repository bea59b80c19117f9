"""What is said of an exported engine beside its numbers: over the budget, beaten by another, as good as the best."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

from hwnas.report.budget import broken, figure_of, keeps
from hwnas.report.data import Engine, RunData
from hwnas.report.formatting import label_of, lower
from hwnas.report.letters import name_of


def warnings(run: RunData, engine: Engine) -> list[str]:
    """Reasons not to ship it."""
    over = [f"over the budget in {lower(label_of(run, name))}" for name in run.budgets if broken(run, engine, name)]
    better = next((other for other in run.chosen if other is not engine and beats(run, other, engine)), None)
    return [*over, *([f"{name_of(run, better)} is as good or better in everything"] if better else [])]


def remarks(run: RunData, engine: Engine) -> list[str]:
    """Whether its accuracy cannot be told from that of the best one within the budget."""
    rated = [e for e in run.chosen if keeps(run, e) and _top1(e)["value"] is not None]
    best = max(rated, key=lambda e: float(_top1(e)["value"]), default=None)
    if best is None or best is engine or engine not in rated or not alike(_top1(best), _top1(engine)):
        return []
    return [f"tied with {name_of(run, best)} in accuracy"]


def alike(best: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two measured accuracies cannot be told apart (Newcombe's interval of their difference)."""
    below = best["value"] - (best["value"] if best.get("low") is None else best["low"])
    above = (other["value"] if other.get("high") is None else other["high"]) - other["value"]
    return bool(best["value"] - other["value"] <= hypot(below, above))


def beats(run: RunData, one: Engine, other: Engine) -> bool:
    """Whether one engine is no worse than another in accuracy and every cost, and better in one of them."""
    mine, theirs = _values(run, one), _values(run, other)
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    return len(pairs) == len(mine) and all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _values(run: RunData, engine: Engine) -> list[float | None]:
    """To be minimised: the measured accuracy and latency, and the costs."""
    top1, ms = _top1(engine)["value"], engine.sheet["latency"]["measured"]["value"]
    found: list[float | None] = [None if top1 is None else -float(top1), None if ms is None else float(ms)]
    for i in run.costs:
        figure = figure_of(run, engine, run.objectives[i].name)
        value = None if figure is None else figure.get("value")
        found.append(None if value is None else float(value) * (1.0 if run.objectives[i].minimise else -1.0))
    return found


def _top1(engine: Engine) -> Mapping[str, Any]:
    found: Mapping[str, Any] = engine.sheet["accuracy"]["top1"]
    return found
