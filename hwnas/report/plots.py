"""Figures by plotly.graph_objects, which knows every attribute: the data of `figures` with looks.

Colours `var(--NAME)` are the page's CSS variables and follow its light and dark theme. `customdata` holds indices of
networks; the page's script fills in their hover texts, which are stored once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
from markupsafe import escape

from hwnas.report.data import RunData
from hwnas.report.figures import Axis, Curve, Front, Progress, Projection, Quality
from hwnas.report.formatting import scales
from hwnas.report.latency import Agreement, Pair

Spec = dict[str, Any]

# like viridis, but without the ends that a dark or a white page swallows
COLOURS = [[0.0, "#6a5acd"], [0.25, "#2e86c8"], [0.5, "#17a08a"], [0.75, "#5fb040"], [1.0, "#b9a51f"]]
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
SMALLEST, LARGEST = 7.0, 16.0  # markers, px
INK, PANEL, FRONT, PAIR, REST = "var(--ink)", "var(--panel)", "var(--front)", "var(--pair)", "var(--rest)"
REST_LINE, BAND, CLEAR = "var(--rest-line)", "var(--band)", "rgba(0,0,0,0)"
_HOVER = "%{hovertext}<extra></extra>"


def front(data: Front) -> Spec:
    """The front in 3-D, all other networks small and grey behind it, the chosen ones lettered."""
    traces = [
        _points3(data, data.others, size=3.5, color=REST, opacity=0.9).update(meta="rest"),
        _points3(data, data.front, size=_sizes(data), line=_edge(PANEL, 0.5), **_colours(data)).update(meta="front"),
        _letters3(data).update(meta="letters"),
        _points3(data, [], size=13, symbol="circle-open", color=PAIR, line=_edge(PAIR, 3)).update(meta="best"),
    ]
    camera = {"eye": {"x": 1.48, "y": -1.56, "z": 0.64}, "center": {"x": -0.04, "y": -0.04, "z": -0.1}}
    axes = {"xaxis": _scene_axis(data.x), "yaxis": _scene_axis(data.y), "zaxis": _scene_axis(data.z)}
    scene = go.layout.Scene(**axes, camera=camera, aspectmode="cube")
    return _spec(traces, scene=scene, margin=_margin(0, 0, 0, 0), showlegend=False)


def projection(data: Projection) -> Spec:
    """Quality against one cost; what is best in these two is joined by steps."""
    rest = sorted(set(range(len(data.x.values))) - set(data.front))
    traces = [
        _points(data, [], size=4, color=REST, opacity=0.35).update(meta="outside"),
        _points(data, rest, size=5, color=REST).update(meta="rest"),
        _points(data, data.front, size=7, color=CLEAR, line=_edge(FRONT, 1.5)).update(meta="front"),
        _steps(data).update(meta="pair"),
        _letters(data).update(meta="letters"),
        _points(data, [], size=20, color=CLEAR, line=_edge(PAIR, 3)).update(meta="best"),
    ]
    axes = {"xaxis": _axis(data.x.title), "yaxis": _axis(data.y.title)}
    return _spec(traces, **axes, margin=_margin(52, 8, 12, 44), showlegend=False, hovermode="closest", **_budget(data))


def several(fronts: Iterable[tuple[str, list[tuple[float, float]]]], x: str, y: str, minimise: bool) -> Spec:
    """The front of each of several runs, by name."""
    traces = []
    for number, (name, points) in enumerate(fronts):
        colour, symbol = f"var(--series-{number % 4})", SYMBOLS[number % len(SYMBOLS)]
        trace = _line([a for a, _ in points], [b for _, b in points], name, colour, symbol)
        traces.append(trace.update(line_shape="hv" if minimise else "vh"))
    return _spec(traces, xaxis=_axis(x), yaxis=_axis(y), **_legend())


def progress(data: Progress) -> Spec:
    """Hypervolume by number of evaluations, means with the range over seeds."""
    traces = [] if data.random is None else _band(data.random, "Random search", REST_LINE, "square")
    traces += _band(data.search, "This search", FRONT, "circle")
    return _spec(traces, xaxis=_axis("Evaluated networks"), yaxis=_axis("Hypervolume"), **_legend())


def correlations(data: Quality) -> Spec:
    """Rank correlation of the surrogate's predictions with the truth, by iteration."""
    traces = [
        _line(data.iterations, data.spearman, "Spearman's ρ", FRONT, "circle"),
        _line(data.iterations, data.kendall, "Kendall's τ", PAIR, "square"),
    ]
    least = min((v for values in (data.spearman, data.kendall) for v in values if v is not None), default=0.0)
    yaxis = _axis("Rank correlation", range=[min(-0.05, least - 0.05), 1.05])
    return _spec(traces, xaxis=_iterations(data), yaxis=yaxis, **_legend())


def errors(data: Quality, unit: str) -> Spec:
    """Root mean square error by iteration; the marker says which surrogate it was."""
    joined = _line(data.iterations, data.rmse, "RMSE", REST_LINE, "circle")
    traces = [joined.update(mode="lines", showlegend=False)]
    for number, name in enumerate(dict.fromkeys(data.surrogates)):
        mine = [i for i, used in enumerate(data.surrogates) if used == name]
        x, y = [data.iterations[i] for i in mine], [data.rmse[i] for i in mine]
        trace = _line(x, y, name, f"var(--series-{number % 4})", SYMBOLS[number % len(SYMBOLS)])
        traces.append(trace.update(mode="markers", showlegend=True))
    yaxis = _axis(f"RMSE ({unit})" if unit else "RMSE", rangemode="tozero")
    return _spec(traces, xaxis=_iterations(data), yaxis=yaxis, **_legend())


def agreement(data: Agreement) -> Spec:
    """Predicted against measured, on one scale, with the line of equality and a band of 5 % about it."""
    ends = list(data.limits)
    traces = [
        _along(ends, 0.95, line_width=0, showlegend=False),
        _along(ends, 1.05, line_width=0, fill="tonexty", fillcolor=BAND, name="within ±5 %"),
        _along(ends, 1.0, line={"width": 1, "dash": "dash", "color": INK}, name="equal"),
        _pairs(data.networks, "networks the table was fitted to", 6, REST_LINE, width=0),
        _pairs(data.engines, "exported engines", 9, PAIR, width=1.2),
    ]
    xaxis = _axis("Measured (ms)", range=ends, constrain="domain")
    yaxis = _axis("Predicted (ms)", range=ends, scaleanchor="x", constrain="domain")
    return _spec(traces, xaxis=xaxis, yaxis=yaxis, hovermode="closest", **_legend())


def hover_texts(run: RunData) -> list[str]:
    """(n) what is shown over each network, in Plotly's few tags."""
    shown = scales(run)
    found = []
    for i, (row, arch) in enumerate(zip(run.done, run.archs, strict=True)):
        name = f"{run.marked[i]} · {arch.id}" if i in run.marked else arch.id
        values = (f"{s.label} {s.text(float(run.values[i, k]))}" for k, s in enumerate(shown))
        lines = [f"<b>{escape(name)}</b>", *map(_text, values), f"iteration {row.iteration}"]
        found.append("<br>".join(lines))
    return found


def _spec(traces: Iterable[Any], **layout: Any) -> Spec:
    """Plotly's JSON, without a theme, which the page has, and without the traces that have no point.

    Those of a role (`meta`) stay: the page's scripts fill them.
    """
    shown = [trace.to_plotly_json() for trace in traces if trace.x or trace.meta]
    return {"data": shown, "layout": go.Layout(**layout).to_plotly_json()}


def _text(content: str) -> str:
    """For Plotly's labels, which read a few tags."""
    return str(escape(content))


def _along(ends: Sequence[float], factor: float, **looks: Any) -> Any:
    """The line y = factor x."""
    return go.Scatter(x=ends, y=[factor * v for v in ends], mode="lines", hoverinfo="skip", **looks)


def _pairs(pairs: Sequence[Pair], name: str, size: int, colour: str, width: float) -> Any:
    def bars(values: Iterable[tuple[float, float, float]]) -> Spec:
        below, above = zip(*((v - a, b - v) for v, a, b in values), strict=True) if pairs else ((), ())
        looks = {"thickness": width, "width": 3, "color": colour, "visible": width > 0}
        return {"type": "data", "symmetric": False, "array": list(above), "arrayminus": list(below), **looks}

    return go.Scatter(
        x=[p.measured for p in pairs],
        y=[p.predicted for p in pairs],
        mode="markers",
        name=name,
        marker={"size": size, "color": colour},
        error_x=bars((p.measured, p.fast, p.slow) for p in pairs),
        error_y=bars((p.predicted, p.low, p.high) for p in pairs),
        text=[f"{_text(p.name)}<br>off by {100 * p.error:+.1f} %" for p in pairs],
        hovertemplate="%{text}<br>measured %{x:.4g} ms<br>predicted %{y:.4g} ms<extra></extra>",
    )


def _colours(data: Front) -> Spec:
    """Of the markers: by the fourth objective, with its scale above the picture, where there is one."""
    if data.colour is None:
        return {"color": FRONT}
    title = {"text": _text(data.colour.title), "side": "top"}
    bar = {"title": title, "orientation": "h", "thickness": 10, "len": 0.55, "x": 0.5, "y": 1, "yanchor": "top"}
    values = [data.colour.values[i] for i in data.front]
    return {"color": values, "colorscale": COLOURS, "showscale": True, "colorbar": bar}


def _sizes(data: Front) -> float | list[float]:
    """Of the markers: by the fifth objective, where there is one."""
    if data.size is None or not data.front:
        return 6.0
    values = [data.size.values[i] for i in data.front]
    low, span = min(values), max(values) - min(values)
    return [SMALLEST + (LARGEST - SMALLEST) * ((v - low) / span if span else 0.3) for v in values]


def _points(data: Projection, indices: Sequence[int], **marker: Any) -> Any:
    x, y = ([a.values[i] for i in indices] for a in (data.x, data.y))
    return go.Scatter(x=x, y=y, mode="markers", marker=marker, customdata=list(indices), hovertemplate=_HOVER)


def _steps(data: Projection) -> Any:
    line = {"shape": "hv" if data.x.minimise else "vh", "width": 2, "color": PAIR}
    return _points(data, data.pair, size=8, color=PAIR).update(mode="lines+markers", line=line)


def _letters(data: Projection) -> Any:
    looks = {"mode": "markers+text", "textfont": {"color": PANEL, "size": 10}, "textposition": "middle center"}
    return _points(data, list(data.marked), size=15, color=INK).update(text=list(data.marked.values()), **looks)


def _points3(data: Front, indices: Sequence[int], **marker: Any) -> Any:
    x, y, z = ([a.values[i] for i in indices] for a in (data.x, data.y, data.z))
    return go.Scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, customdata=list(indices), hovertemplate=_HOVER)


def _letters3(data: Front) -> Any:
    points = _points3(data, list(data.marked), size=7, symbol="diamond", color=PAIR, line=_edge(PANEL, 1))
    names = [f"<b>{name}</b>" for name in data.marked.values()]
    return points.update(
        mode="markers+text", text=names, textfont={"color": INK, "size": 15}, textposition="top center"
    )


def _band(curve: Curve, name: str, colour: str, symbol: str) -> list[Any]:
    """The mean, and the range over seeds where there are several."""
    if curve.seeds == 1:
        return [_line(curve.x, curve.y, name, colour, symbol)]
    unseen = {"mode": "lines", "line_width": 0, "showlegend": False, "hoverinfo": "skip"}
    low, high = (_line(curve.x, y, name, colour, symbol).update(**unseen) for y in (curve.low, curve.high))
    mean = _line(curve.x, curve.y, f"{name}, mean of {curve.seeds}", colour, symbol)
    return [low, high.update(fill="tonexty", fillcolor=BAND), mean]


def _line(x: Sequence[float], y: Sequence[float | None], name: str, colour: str, symbol: str) -> Any:
    line, marker = {"color": colour, "width": 2}, {"color": colour, "size": 6, "symbol": symbol}
    return go.Scatter(x=list(x), y=list(y), name=_text(name), mode="lines+markers", line=line, marker=marker)


def _budget(data: Projection) -> Spec:
    """A line at the budget; not at a far one, which would squeeze everything into a corner."""
    limit = data.budget
    if limit is None or limit > 1.1 * max(data.x.values):
        return {}
    across = {"type": "line", "x0": limit, "x1": limit, "yref": "paper", "y0": 0, "y1": 1}
    place = {"x": limit, "xanchor": "right", "yref": "paper", "y": 0.02, "yanchor": "bottom"}
    return {
        "shapes": [{**across, "line": {"dash": "dot", "width": 1.5, "color": INK}}],
        "annotations": [{**place, "text": "budget", "showarrow": False, "textangle": -90}],
    }


def _axis(title: str, **looks: Any) -> Spec:
    return {"title": {"text": _text(title), "standoff": 8}, "zeroline": False, "automargin": True, **looks}


def _iterations(data: Quality) -> Spec:
    few = len(data.iterations) <= 12
    return _axis("Iteration", **({"tickvals": list(data.iterations)} if few else {}))


def _scene_axis(axis: Axis) -> Spec:
    return {"title": {"text": _text(axis.title)}, "showbackground": True, "zeroline": False, "nticks": 6}


def _legend() -> Spec:
    place = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    return {"showlegend": True, "legend": place, "margin": _margin(56, 8, 34, 44)}


def _edge(colour: str, width: float) -> Spec:
    return {"width": width, "color": colour}


def _margin(left: int, right: int, top: int, bottom: int) -> Spec:
    return {"l": left, "r": right, "t": top, "b": bottom}
