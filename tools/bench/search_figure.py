"""The figure of tools.bench.search: mean hypervolume by evaluations; dotted is Lu et al.'s reference code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.bench.search_problem import REFERENCE_CURVES, Curve, reference

Curves = dict[str, dict[str, dict[int, Curve]]]  # by problem, method and seed
TITLES = {"five": "five objectives", "cpu": "top-1 and i7 ms", "madds": "top-1 and MAdds"}
STYLES = {  # name and colour; one colour for one algorithm, whoever's code it is
    "ours": ("ours", "#1f5fd0"),
    "ours-gp": ("ours, GP", "#5b9bf5"),
    "paper-rbf": ("paper's algorithm", "#d9480f"),
    "paper-auto": ("paper's, Adaptive Switching", "#b02a8f"),
    "paper-gp": ("paper's, GP", "#8d6e63"),
    "paper-cart": ("paper's, CART", "#c9a100"),
    "paper-mlp": ("paper's, MLP", "#00897b"),
    "paper-xgb": ("paper's, XGBoost", "#7e57c2"),
    "nsga2": ("NSGA-II", "#2e8b3d"),
    "random": ("random", "#777777"),
}
BASELINES = {"reference-rbf": "paper-rbf", "nsga2": "nsga2", "random": "random"}  # its curves, coloured like ours
_FIRST = 20  # evaluations at which the reference code's curves begin


def figure(curves: Curves) -> Any:
    """A panel for each problem; a band of one standard deviation around ours."""
    from plotly.subplots import make_subplots

    shown = make_subplots(rows=1, cols=len(curves), subplot_titles=[TITLES[p] for p in curves], horizontal_spacing=0.05)
    for column, (problem, methods) in enumerate(curves.items(), 1):
        known = reference()["hypervolume"][REFERENCE_CURVES[problem]]
        for name, method in BASELINES.items():
            label, colour = STYLES[method]
            _line(
                shown,
                column,
                reference()["evaluations"],
                known[name]["mean"],
                f"reference code: {label}",
                colour,
                "dot",
            )
        for name in sorted(methods, key=list(STYLES).index, reverse=True):  # ours last, on top
            _method(shown, column, name, methods[name])
    shown.update_layout(
        template="plotly_white",
        width=1200,
        height=430,
        font_size=13,
        margin={"l": 60, "r": 20, "t": 40, "b": 95},
        legend={"orientation": "h", "y": -0.2, "x": 0.5, "xanchor": "center"},
    )
    shown.update_xaxes(title="evaluated networks", title_standoff=5)
    shown.update_yaxes(title="hypervolume", col=1)
    return shown


def _method(shown: Any, column: int, name: str, runs: dict[int, Curve]) -> None:
    label, colour = STYLES[name]
    length = min(len(c.values) for c in runs.values())
    values = np.array([c.values[_FIRST - 1 : length] for c in runs.values()])
    x, mean = np.arange(_FIRST, length + 1), values.mean(axis=0)
    if name == "ours" and len(values) > 1:
        s = values.std(axis=0, ddof=1)
        shown.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([mean + s, (mean - s)[::-1]]),
            fill="toself",
            fillcolor=colour,
            opacity=0.2,
            line_width=0,
            hoverinfo="skip",
            showlegend=False,
            row=1,
            col=column,
        )
    _line(shown, column, x, mean, label, colour, "solid")


def _line(
    shown: Any,
    column: int,
    x: Sequence[int] | NDArray[Any],
    y: Sequence[float] | NDArray[Any],
    label: str,
    colour: str,
    dash: str,
) -> None:
    shown.add_scatter(
        x=x,
        y=y,
        name=label,
        legendgroup=label,
        showlegend=column == 1,
        mode="lines",
        line={"color": colour, "dash": dash, "width": 2},
        row=1,
        col=column,
    )
