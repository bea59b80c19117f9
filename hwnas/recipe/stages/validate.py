"""Each engine measured again, in the way of a user who was handed it: `hwnas validate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwnas.api.engines import validate
from hwnas.recipe.records import validated
from hwnas.recipe.stage import Stage
from hwnas.recipe.stages import export
from hwnas.recipe.work import Work
from profilers.files import write_json

FOLDER = "validation"


class ValidateStage(Stage):
    """Compares each engine with its datasheet."""

    name = "validate"
    needs = ("export",)

    def settings(self, work: Work) -> dict[str, Any]:
        """None but the engines."""
        return {}

    def products(self, work: Work) -> Sequence[Path]:
        """A file of JSON for each engine."""
        return [work.out / FOLDER]

    def run(self, work: Work, seconds: float) -> str:
        """Those that are not there yet."""
        lines = []
        for engine in export.engines(work):
            path = work.out / FOLDER / f"{engine.folder.name}.json"  # its datasheet may call it anything
            if not path.is_file():
                write_json(path, validate(engine.folder, quick=True, host=work.settings.device.host).to_json())
            found = validated(path)
            same = found["top1_agreement"]
            agreement = "" if same is None else f", agreement {same:.3g}"
            lines.append(f"{engine.name} {found['measured_ms']:.3g} ms{agreement}")
        return "; ".join(lines)


def validation(work: Work, key: str) -> dict[str, Any]:
    """What was found of one engine."""
    return validated(work.out / FOLDER / f"{key}.json")
