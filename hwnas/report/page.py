"""The report as one HTML file that needs no network: sections, Plotly's figures as JSON, and what draws them.

A content security policy forbids every address, and every script but the page's own and Plotly (by their hashes).
Several runs are on one page, each in an article of its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from hwnas.report import limits, networks, overview, plots, sections, summary
from hwnas.report.data import RunData
from hwnas.report.packed import packed, packed_plotly, plotly
from hwnas.report.ship import Ship, ship
from hwnas.version import __version__
from profilers.markup import json_text, templates

SCRIPTS = (
    "elements", "theme", "networks", "figures", "axes", "limits", "parallel", "card", "picked", "tables", "live",
    "start",
)  # fmt: skip


@dataclass(frozen=True)
class RunPart:
    """A run as its article shows it; `key` is its address in the page, `prefix` that of what is in it."""

    key: str
    prefix: str
    name: str
    lead: str
    ship: Ship
    key_numbers: Sequence[summary.Tile]
    sections: Sequence[sections.Section]
    sliders: Sequence[limits.Slider] = ()
    limited: bool = False
    store: dict[str, Any] = field(default_factory=dict)


def page(runs: RunData | Sequence[RunData], created: str, *, live: str = "") -> str:
    """The whole file; `created` is shown at its end, `live` (how the runs stand) where it is a page that refreshes."""
    begin, script = _asset("scripts/begin.js"), scripts()
    return (
        templates("hwnas.report")
        .get_template("report.html")
        .render(
            **contents(runs, created, live),
            policy=policy([begin, plotly(), script], live=bool(live)),
            style=_ours(_asset("style.css")),
            begin=_ours(begin),
            scripts=[_ours(packed_plotly()), _ours(packed(script))],
        )
    )


def part(runs: RunData | Sequence[RunData], created: str, *, live: str) -> str:
    """What changes while a run is searched: everything but the scripts."""
    return templates("hwnas.report").get_template("main.html").render(**contents(runs, created, live))


def contents(runs: RunData | Sequence[RunData], created: str, live: str) -> dict[str, Any]:
    """What the templates show."""
    given = [runs] if isinstance(runs, RunData) else list(runs)
    shown = [_part(run, i, len(given)) for i, run in enumerate(given)]
    together = overview.section(given) if len(given) > 1 else None
    figures = {plot.key: plot.spec for plot in together.plots} if together else {}
    store = {"runs": [run.store for run in shown], "figures": figures}
    return {
        "title": _title(given),
        "runs": shown,
        "overview": together,
        "version": __version__,
        "created": created,
        "live": live,
        "store": _ours(packed(json_text(store))),
    }


def _title(runs: Sequence[RunData]) -> str:
    if len(runs) > 1:
        return f"{len(runs)} runs: {', '.join(dict.fromkeys(run.name for run in runs))}"
    device = summary.device(runs[0])
    return f"{runs[0].name}: networks for {device}" if device else runs[0].name


def _part(run: RunData, number: int, count: int) -> RunPart:
    found = [section for make in sections.ALL if (section := make(run))]
    key = f"run-{number + 1}"
    store = {
        "key": key,
        "figures": {plot.key: bare(plot.spec) for section in found for plot in section.plots},
        "texts": plots.hover_texts(run),
        "data": networks.data(run) if run.done else None,
    }
    return RunPart(
        key,
        "" if count == 1 else f"{key}-",
        run.name,
        summary.paragraph(run),
        ship(run),
        summary.tiles(run),
        found,
        limits.sliders(run) if run.done else (),
        any(run.objectives[i].name in run.budgets for i in run.costs),
        store,
    )


def bare(spec: plots.Spec) -> plots.Spec:
    """A figure without the values of its networks, with which the page's scripts fill it."""
    return {**spec, "data": [_looks(trace) if trace.get("meta") else trace for trace in spec["data"]]}


def _looks(trace: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in trace.items() if key not in ("x", "y", "z", "customdata", "text")}


def scripts() -> str:
    """The page's own script: its files one after another, in one scope."""
    text = "\n".join(_asset(f"scripts/{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{text}}})();\n'


def policy(allowed_scripts: Sequence[str], *, live: bool = False) -> str:
    """The content security policy; only a live page may ask, and only its own server."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in allowed_scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    own = " connect-src 'self';" if live else ""
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:;{own} "
        "base-uri 'none'; form-action 'none'"
    )


def _ours(text: str) -> Markup:
    """What is put into the page as it is: our own files, and what is packed."""
    return Markup(text)  # noqa: S704  nothing of a run


def _asset(name: str) -> str:
    return files("hwnas.report").joinpath(name).read_text("utf-8")
