"""How an engine stands to the run's budgets: by its measured latency, else by the ends of the predicted intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hwnas.report.data import Engine, RunData
from hwnas.search.limits import beyond
from hwnas.search.objectives import LATENCY


def keeps(run: RunData, engine: Engine) -> bool:
    """Whether it meets all budgets of which anything is known."""
    return not any(broken(run, engine, name) for name in run.budgets)


def broken(run: RunData, engine: Engine, name: str) -> bool:
    """Whether it misses one."""
    worst = worst_of(run, engine, name)
    return worst is not None and bool(beyond(worst, run.budgets[name], run.minimises(name)))


def worst_of(run: RunData, engine: Engine, name: str) -> float | None:
    """The end of an objective's interval by which a budget is judged; None where nothing is known of it."""
    found = figure_of(run, engine, name)
    if found is None or found.get("value") is None:
        return None
    end = found.get("high" if run.minimises(name) else "low")
    return float(found["value"] if end is None else end)


def figure_of(run: RunData, engine: Engine, name: str) -> Mapping[str, Any] | None:
    """An objective by the datasheet, or by the search where the engine was exported without the run.

    Where it predicts this engine's latency, it is the latency that was measured.
    """
    sheet, info = engine.sheet, run.info(name)
    guess, measured = sheet["latency"]["predicted"], sheet["latency"]["measured"]
    figure: Mapping[str, Any] | None = sheet["objectives"].get(name) or _searched(run, engine, name)
    if figure is None or figure.get("value") is None or measured["value"] is None:
        return figure
    own = guess["value"] is not None and math.isclose(guess["value"], figure["value"], rel_tol=1e-6)
    return measured if own and info is not None and info.kind == LATENCY else figure


def _searched(run: RunData, engine: Engine, name: str) -> Mapping[str, Any] | None:
    """As the search has it; the accuracy of the search is not this engine's."""
    row, found = run.row_of(run.space.parse(engine.sheet["architecture"]).id), run.ends_of(name)
    if row is None or found is None or name == "top1":
        return None
    low, value, high = found[row].tolist()
    info = run.info(name)
    figure = {"value": value, "unit": "" if info is None else info.unit, "how": "" if info is None else info.how}
    return figure if low == high else {**figure, "low": low, "high": high}
