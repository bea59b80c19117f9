"""Known networks beside the shipped ones, on the same images and device: `hwnas compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwnas.api.comparing import compare
from hwnas.recipe.stage import Stage
from hwnas.recipe.stages import export, finetune
from hwnas.recipe.work import Work

FOLDER = "known"


class CompareStage(Stage):
    """Measures the networks of the recipe's [compare] against the engines'."""

    name = "compare"
    needs = ("finetune", "export")

    def settings(self, work: Work) -> dict[str, Any]:
        """The networks."""
        return {"models": list(work.settings.compare.models)}

    def products(self, work: Work) -> Sequence[Path]:
        """Text, CSV, JSON and figure."""
        return [work.out / FOLDER]

    def given(self, work: Work) -> str:
        """No network is named."""
        return "" if work.settings.compare.models else "no models in [compare]"

    def run(self, work: Work, seconds: float) -> str:
        """All in one interleaved run."""
        found = export.engines(work)
        compared = compare(
            work.out, ids=[engine.name for engine in found], device=work.device,
            size=found[0].input_shape[-1], weights=work.out / finetune.FOLDER, out=work.out / FOLDER,
        )  # fmt: skip
        return f"{len(compared.to_json()['networks'])} networks in {work.settings.out / FOLDER}/compare.txt"
