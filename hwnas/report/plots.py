"""Figures as Plotly's JSON: {"data": [...], "layout": {...}}, no more than the data of `figures` with looks.

Colours that start with `--` are the page's CSS variables and follow its light and dark theme. `customdata` holds
indices of networks; the page's script fills in their hover texts, which are stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hwnas.report.figures import Axis, Curve, Front, Progress, Projection, Quality
from hwnas.report.html import text
from hwnas.report.latency import Agreement, Pair

Spec = dict[str, Any]

# like viridis, but without the ends that a dark or a white page swallows
COLOURS = [[0.0, "#6a5acd"], [0.25, "#2e86c8"], [0.5, "#17a08a"], [0.75, "#5fb040"], [1.0, "#b9a51f"]]
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
SMALLEST, LARGEST = 7.0, 16.0  # markers, px


def front(data: Front) -> Spec:
    """The front in 3-D, all other networks small and grey behind it, the chosen ones lettered."""
    marker: Spec = {"size": _sizes(data), "opacity": 0.95, "line": {"width": 0.5, "color": "--panel"}}
    if data.colour is not None:
        values = [data.colour.values[i] for i in data.front]
        marker |= {
            "color": values, "colorscale": COLOURS, "showscale": True,
            "colorbar": _colour_bar(data.colour),
        }  # fmt: skip
    else:
        marker |= {"color": "--front"}
    traces = [
        _points3(data, data.others, {"size": 3.5, "color": "--rest", "opacity": 0.9}),
        _points3(data, data.front, marker),
        _letters3(data),
    ]
    scene: Spec = {name: _scene_axis(a) for name, a in (("xaxis", data.x), ("yaxis", data.y), ("zaxis", data.z))}
    camera = {"eye": {"x": 1.48, "y": -1.56, "z": 0.64}, "center": {"x": -0.04, "y": -0.04, "z": -0.1}}
    layout = {"scene": {**scene, "camera": camera, "aspectmode": "cube"}, "margin": _margin(0, 0, 0, 0)}
    return {"data": [t for t in traces if t["x"]], "layout": {**layout, "showlegend": False}}


def projection(data: Projection) -> Spec:
    """Quality against one cost; what is best in these two is joined by steps."""
    rest = sorted(set(range(len(data.x.values))) - set(data.front))
    traces = [
        _points(data, rest, {"size": 5, "color": "--rest"}),
        _points(data, data.front, {"size": 7, "color": "rgba(0,0,0,0)", "line": {"width": 1.5, "color": "--front"}}),
        _points(data, data.pair, {"size": 8, "color": "--pair"}) | _steps(data),
        _points(data, list(data.marked), {"size": 15, "color": "--ink"}) | _letters(data),
    ]
    layout: Spec = {"xaxis": _axis(data.x.title), "yaxis": _axis(data.y.title), "margin": _margin(52, 8, 12, 44)}
    layout |= {"showlegend": False, "hovermode": "closest"}
    return {"data": [t for t in traces if t["x"]], "layout": layout | _budget(data)}


def progress(data: Progress) -> Spec:
    """Hypervolume by number of evaluations, means with the range over seeds."""
    traces = [] if data.random is None else _band(data.random, "Random search", "--rest-line", "square")
    traces += _band(data.search, "This search", "--front", "circle")
    layout = {"xaxis": _axis("Evaluated networks"), "yaxis": _axis("Hypervolume"), **_legend(True)}
    return {"data": traces, "layout": layout}


def correlations(data: Quality) -> Spec:
    """Rank correlation of the surrogate's predictions with the truth, by iteration."""
    pairs = (("Spearman's ρ", data.spearman, "--front", "circle"), ("Kendall's τ", data.kendall, "--pair", "square"))
    traces = [_line(data.iterations, values, name, colour, symbol) for name, values, colour, symbol in pairs]
    least = min((v for values in (data.spearman, data.kendall) for v in values if v is not None), default=0.0)
    yaxis = _axis("Rank correlation") | {"range": [min(-0.05, least - 0.05), 1.05]}
    return {"data": traces, "layout": {"xaxis": _iterations(data), "yaxis": yaxis, **_legend(True)}}


def errors(data: Quality, unit: str) -> Spec:
    """Root mean square error by iteration; the marker says which surrogate it was."""
    names = list(dict.fromkeys(data.surrogates))
    joined = _line(data.iterations, data.rmse, "RMSE", "--rest-line", "circle")
    traces = [joined | {"mode": "lines", "showlegend": False}]
    for number, name in enumerate(names):
        mine = [i for i, used in enumerate(data.surrogates) if used == name]
        x, y = [data.iterations[i] for i in mine], [data.rmse[i] for i in mine]
        trace = _line(x, y, name, f"--series-{number % 4}", SYMBOLS[number % len(SYMBOLS)])
        traces.append(trace | {"mode": "markers", "showlegend": True})
    yaxis = _axis(f"RMSE ({unit})" if unit else "RMSE") | {"rangemode": "tozero"}
    return {"data": traces, "layout": {"xaxis": _iterations(data), "yaxis": yaxis, **_legend(True)}}


def agreement(data: Agreement) -> Spec:
    """Predicted against measured, on one scale, with the line of equality and a band of 5 % about it."""
    low, high = data.limits
    ends: list[float] = [low, high]
    band: Spec = {"mode": "lines", "hoverinfo": "skip", "type": "scatter"}
    traces = [
        {**band, "x": ends, "y": [0.95 * v for v in ends], "line": {"width": 0}, "showlegend": False},
        {**band, "x": ends, "y": [1.05 * v for v in ends], "line": {"width": 0}, "fill": "tonexty",
         "fillcolor": "--band", "name": "within ±5 %"},
        {**band, "x": ends, "y": ends, "line": {"width": 1, "dash": "dash", "color": "--ink"}, "name": "equal"},
        _pairs(data.networks, "networks the table was fitted to", {"size": 6, "color": "--rest-line"}, width=0),
        _pairs(data.engines, "exported engines", {"size": 9, "color": "--pair"}, width=1.2),
    ]  # fmt: skip
    axes = {
        "xaxis": _axis("Measured (ms)") | {"range": ends, "constrain": "domain"},
        "yaxis": _axis("Predicted (ms)") | {"range": ends, "scaleanchor": "x", "constrain": "domain"},
    }
    return {"data": [t for t in traces if t["x"]], "layout": {**axes, **_legend(True), "hovermode": "closest"}}


def _pairs(pairs: Sequence[Pair], name: str, marker: Spec, width: float) -> Spec:
    def bars(values: Iterable[tuple[float, float, float]]) -> Spec:
        below, above = zip(*((v - a, b - v) for v, a, b in values), strict=True) if pairs else ((), ())
        return {"type": "data", "symmetric": False, "array": list(above), "arrayminus": list(below),
                "thickness": width, "width": 3, "color": marker["color"], "visible": width > 0}  # fmt: skip

    return {
        "type": "scatter", "mode": "markers", "name": name, "marker": marker,
        "x": [p.measured for p in pairs], "y": [p.predicted for p in pairs],
        "error_x": bars((p.measured, p.fast, p.slow) for p in pairs),
        "error_y": bars((p.predicted, p.low, p.high) for p in pairs),
        "text": [f"{text(p.name)}<br>off by {100 * p.error:+.1f} %" for p in pairs],
        "hovertemplate": "%{text}<br>measured %{x:.4g} ms<br>predicted %{y:.4g} ms<extra></extra>",
    }  # fmt: skip


def _colour_bar(axis: Axis) -> Spec:
    title = {"text": text(axis.title), "side": "top"}
    return {"title": title, "orientation": "h", "thickness": 10, "len": 0.55, "x": 0.5, "y": 1, "yanchor": "top"}


def _points(data: Projection, indices: Sequence[int], marker: Spec) -> Spec:
    return {
        "type": "scatter", "mode": "markers", "marker": marker, "customdata": list(indices),
        "x": [data.x.values[i] for i in indices], "y": [data.y.values[i] for i in indices],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip


def _steps(data: Projection) -> Spec:
    shape = "hv" if data.x.minimise else "vh"
    return {"mode": "lines+markers", "line": {"shape": shape, "width": 2, "color": "--pair"}}


def _letters(data: Projection) -> Spec:
    font, names = {"color": "--panel", "size": 10}, list(data.marked.values())
    return {"mode": "markers+text", "text": names, "textfont": font, "textposition": "middle center"}


def _points3(data: Front, indices: Sequence[int], marker: Spec) -> Spec:
    x, y, z = ([a.values[i] for i in indices] for a in (data.x, data.y, data.z))
    return {
        "type": "scatter3d", "mode": "markers", "x": x, "y": y, "z": z, "marker": marker,
        "customdata": list(indices), "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip


def _letters3(data: Front) -> Spec:
    marker = {"size": 7, "symbol": "diamond", "color": "--pair", "line": {"width": 1, "color": "--panel"}}
    font = {"color": "--ink", "size": 15}
    names = [f"<b>{name}</b>" for name in data.marked.values()]
    looks = {"mode": "markers+text", "text": names, "textfont": font, "textposition": "top center"}
    return _points3(data, list(data.marked), marker) | looks


def _sizes(data: Front) -> float | list[float]:
    if data.size is None or not data.front:
        return 6.0
    values = [data.size.values[i] for i in data.front]
    low, span = min(values), max(values) - min(values)
    return [SMALLEST + (LARGEST - SMALLEST) * ((v - low) / span if span else 0.3) for v in values]


def _band(curve: Curve, name: str, colour: str, symbol: str) -> list[Spec]:
    if curve.seeds == 1:
        return [_line(curve.x, curve.y, name, colour, symbol)]
    unseen: Spec = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    low, high = (_line(curve.x, y, name, colour, symbol) | unseen for y in (curve.low, curve.high))
    mean = _line(curve.x, curve.y, f"{name}, mean of {curve.seeds}", colour, symbol)
    return [low, high | {"fill": "tonexty", "fillcolor": "--band"}, mean]


def _line(x: Sequence[float], y: Sequence[float | None], name: str, colour: str, symbol: str) -> Spec:
    return {
        "type": "scatter", "mode": "lines+markers", "x": list(x), "y": list(y), "name": text(name),
        "line": {"color": colour, "width": 2}, "marker": {"color": colour, "size": 6, "symbol": symbol},
    }  # fmt: skip


def _budget(data: Projection) -> Spec:
    limit = data.budget
    if limit is None or limit > 1.1 * max(data.x.values):  # a far budget would squeeze everything into a corner
        return {}
    line = {"type": "line", "x0": limit, "x1": limit, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"dash": "dot", "width": 1.5, "color": "--ink"}}  # fmt: skip
    note = {"x": limit, "xanchor": "right", "yref": "paper", "y": 0.02, "text": "budget", "showarrow": False,
            "textangle": -90, "yanchor": "bottom"}  # fmt: skip
    return {"shapes": [line], "annotations": [note]}


def _axis(title: str) -> Spec:
    return {"title": {"text": text(title), "standoff": 8}, "zeroline": False, "automargin": True}


def _iterations(data: Quality) -> Spec:
    few = len(data.iterations) <= 12
    return _axis("Iteration") | ({"tickvals": list(data.iterations)} if few else {})


def _scene_axis(axis: Axis) -> Spec:
    return {"title": {"text": text(axis.title)}, "showbackground": True, "zeroline": False, "nticks": 6}


def _legend(show: bool) -> Spec:
    place = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    return {"showlegend": show, "legend": place, "margin": _margin(56, 8, 34, 44)}


def _margin(left: int, right: int, top: int, bottom: int) -> Spec:
    return {"l": left, "r": right, "t": top, "b": bottom}
