"""What the page's scripts know of a run: its objectives, and of each evaluated network values, choices and layers.

n  networks, in order of evaluation (rows of `RunData.values`)      values are in the units that the page shows
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import escape

from hwnas.report import svg
from hwnas.report.data import Engine, Floats, Mask, RunData
from hwnas.report.formatting import scales, significant
from hwnas.report.layers import layer_times
from hwnas.report.tables import weights as weights_of
from hwnas.search.limits import surely_within
from hwnas.select.frequencies import draw

DIGITS = 6  # significant, of what is stored


def data(run: RunData) -> dict[str, Any]:
    """Everything, as JSON's types."""
    return {
        "objectives": list(objectives(run)),
        "quality": run.quality,
        "main": run.main_cost,
        "ids": [arch.id for arch in run.archs],
        "letters": {str(i): name for i, name in run.marked.items()},
        "resolutions": [arch.r for arch in run.archs],
        "iterations": [row.iteration for row in run.done],
        "barred": [int(i) for i in np.flatnonzero(~_shown_elsewhere(run))],
        "picture": svg.kit(run.space, [draw(run.space, arch) for arch in run.archs]),
        "layers": layer_times(run),
        "engines": [_engine(run, engine) for engine in run.chosen],
        "unsure": bool(run.budgets) and not run.within_budgets.any(),
    }


def _engine(run: RunData, engine: Engine) -> dict[str, Any]:
    sheet, kind = engine.sheet, engine.sheet["engine"]
    figures = [f"{sheet['accuracy']['top1']['value']:.1f} %"] if sheet["accuracy"]["top1"]["value"] is not None else []
    figures += [f"{significant(v)} ms measured"] if (v := sheet["latency"]["measured"]["value"]) is not None else []
    return {
        "network": run.space.parse(sheet["architecture"]).id,
        "name": f"{kind['name']}, {kind['precision']}, batch {kind['batch']}",
        "facts": "; ".join([*filter(None, [weights_of(sheet)]), *figures]),
        "link": quote(engine.link or ""),
    }


def objectives(run: RunData) -> Iterator[dict[str, Any]]:
    """Each with its values, the ends of their intervals where these have any, and the run's own limit."""
    for i, (objective, scale) in enumerate(zip(run.objectives, scales(run), strict=True)):
        found = _ends(run, i) / scale.divisor
        limit = run.budgets.get(objective.name)
        certain = bool((found[:, 0] == found[:, 2]).all())
        yield {
            "name": objective.name,
            "label": scale.label,
            "title": scale.title,
            "axis": str(escape(scale.title)),  # Plotly's labels read a few tags
            "unit": scale.unit,
            "divisor": scale.divisor,
            "minimise": objective.minimise,
            "values": _numbers(found[:, 1]),
            "low": None if certain else _numbers(found[:, 0]),
            "high": None if certain else _numbers(found[:, 2]),
            "limit": None if limit is None else limit / scale.divisor,
        }


def _ends(run: RunData, column: int) -> Floats:
    """(n, 3); of top-1 Wilson's interval, where the images are known."""
    name = run.objectives[column].name
    found = run.ends_of(name)
    assert found is not None  # every row that is done has every objective
    if name == "top1":
        found = found.copy()
        for row, evaluation in zip(found, run.done, strict=True):
            row[::2] = evaluation.top1_interval or row[::2]
    return found.reshape(-1, 3)


def _shown_elsewhere(run: RunData) -> Mask:
    """(n,) the networks that keep those budgets that are of no shown cost, and so of no slider."""
    sliders = {run.objectives[i].name for i in run.costs}
    mask = np.ones(len(run.done), bool)
    for name, limit in run.budgets.items():
        if name not in sliders and (found := run.ends_of(name)) is not None:
            mask &= surely_within(found, limit, run.minimises(name))
    return mask


def _numbers(values: Floats) -> list[float]:
    """Rounded; a budget's own network is not lost by it, for the script allows for the last digit."""
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
