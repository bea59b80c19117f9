"""One page of everything: `hwnas report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwnas.api.runs import Run
from hwnas.recipe.stage import Stage
from hwnas.recipe.work import Work

FILE = "report.html"


class ReportStage(Stage):
    """Writes the report of the run and its engines."""

    name = "report"
    needs = ("search", "export", "compare")

    def settings(self, work: Work) -> dict[str, Any]:
        """None but what was made."""
        return {}

    def products(self, work: Work) -> Sequence[Path]:
        """The page."""
        return [work.out / FILE]

    def run(self, work: Work, seconds: float) -> str:
        """Write it."""
        return work.relative_to_recipe(Run(work.out).report(work.out / FILE))
