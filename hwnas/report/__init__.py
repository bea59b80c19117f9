"""The report of a run: one HTML file, offline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hwnas.report.data import CurvePoint, Engine, Iteration, ObjectiveInfo, RunData
from hwnas.report.load import load_run
from hwnas.report.page import page
from profilers.files import write_text


def write_report(runs: RunData | Sequence[RunData], out: Path) -> int:
    """Write the report of a run, or of several on one page, in one step; returns its size in bytes.

    Raises:
        BadInput: an architecture that is not of the run's space.
        FileProblem: the file cannot be written.
    """
    html = page(runs, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    write_text(out, html)
    return len(html.encode())


__all__ = ["CurvePoint", "Engine", "Iteration", "ObjectiveInfo", "RunData", "load_run", "write_report"]
