"""The report as one HTML file that needs no network: sections, Plotly's figures as JSON, and what draws them.

A content security policy forbids every address, and every script but the two of this page (by their hashes).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from markupsafe import Markup

from hwnas.report import plots, sections, summary
from hwnas.report.data import RunData
from hwnas.version import __version__
from profilers.markup import templates


def page(run: RunData, created: str) -> str:
    """The whole file; `created` is shown at its end."""
    shown = [part for section in sections.ALL if (part := section(run))]
    specs = {plot.key: plot.spec for section in shown for plot in section.plots}
    device = summary.device(run)
    scripts = [files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8"), _asset("page.js")]
    return (
        templates("hwnas.report")
        .get_template("report.html")
        .render(
            title=f"{run.name}: networks for {device}" if device else run.name,
            lead=summary.paragraph(run),
            key_numbers=summary.tiles(run),
            sections=shown,
            version=__version__,
            created=created,
            store={"figures": specs, "texts": plots.hover_texts(run)},
            policy=_policy(scripts),
            style=Markup(_asset("style.css")),
            scripts=list(map(Markup, scripts)),
        )
    )


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"


def _asset(name: str) -> str:
    return files("hwnas.report").joinpath(name).read_text("utf-8")
