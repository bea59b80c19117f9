"""The report as one HTML file that needs no network: sections, Plotly's figures as JSON, and what draws them.

A content security policy forbids every address, and every script but the two of this page (by their hashes).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from hwnas import __version__
from hwnas.report import sections, summary
from hwnas.report.data import RunData
from hwnas.report.html import Html, raw, script_json, tag, text
from hwnas.report.plots import Spec
from hwnas.report.words import scales


def page(run: RunData, created: str) -> str:
    """The whole file; `created` is shown at its end."""
    specs: dict[str, Spec] = {}
    title = f"{run.name}: networks for {device}" if (device := summary.device(run)) else run.name
    parts = [part for section in sections.ALL if (part := section(run, specs))]
    note = f"Made by hwnas {__version__}, {created}. This file is complete: it loads nothing from anywhere."
    store = script_json({"figures": specs, "texts": hover_texts(run)})
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    scripts = (plotly, _asset("page.js"))
    body = tag(
        "body",
        tag("main", _header(run, title), *parts, tag("footer", note)),
        tag("script", store, type="application/json", id="figures"),
        *(tag("script", raw(script)) for script in scripts),
    )
    return f"<!DOCTYPE html>\n{tag('html', _head(title, scripts), body, lang='en')}\n"


def hover_texts(run: RunData) -> list[str]:
    """(n) what is shown over each network, in Plotly's few tags."""
    shown = scales(run)
    found = []
    for i, row in enumerate(run.done):
        name = f"{run.marked[i]} · {row.id}" if i in run.marked else row.id
        lines = [f"<b>{text(name)}</b>"]
        lines += [f"{text(s.label)} {text(s.text(float(run.values[i, k])))}" for k, s in enumerate(shown)]
        found.append("<br>".join([*lines, f"iteration {row.iteration}"]))
    return found


def _head(title: str, scripts: Sequence[str]) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        tag("title", title),
        tag("style", raw(_asset("style.css"))),
    )


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"


def _header(run: RunData, title: str) -> Html:
    kicker = tag("p", "Report of a search for networks that fit a device", class_="kicker")
    lead = tag("p", summary.paragraph(run), class_="lead")
    return tag("header", kicker, tag("h1", title), lead, summary.draw_tiles(summary.tiles(run)))


def _asset(name: str) -> str:
    return files("hwnas.report").joinpath(name).read_text("utf-8")
