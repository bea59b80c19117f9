"""The choice: `hwnas select`, within the budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwnas.api.runs import Run
from hwnas.recipe.stage import Stage
from hwnas.recipe.work import Work
from profilers.files import write_text

FILE = "chosen.jsonl"


class SelectStage(Stage):
    """Chooses networks of the front that surely keep the budget."""

    name = "select"
    needs = ("search",)

    def settings(self, work: Work) -> dict[str, Any]:
        """Section [select]."""
        return asdict(work.settings.select)

    def products(self, work: Work) -> Sequence[Path]:
        """The networks' file."""
        return [work.out / FILE]

    def run(self, work: Work, seconds: float) -> str:
        """Choose; networks whose interval contains the budget are measured."""
        asked = work.settings.select
        found = Run(work.out).select(n=asked.n, prefer=asked.prefer, device=work.device)
        for note in found.notes:
            work.say(note)
        write_text(work.out / FILE, "".join(json.dumps(row) + "\n" for row in found.rows))
        return ", ".join(f"{row['id']} ({row['objectives']['top1']:.1f} %)" for row in found.rows)
