"""The engines: `hwnas export` of each fine-tuned network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwnas.api.engines import Engine
from hwnas.api.exporting import export, make_request
from hwnas.api.tables import LatencyTable
from hwnas.export.item import predicts
from hwnas.recipe.stage import Stage
from hwnas.recipe.stages import finetune
from hwnas.recipe.work import Work
from profilers.errors import HwnasError

FOLDER = "engines"


class ExportStage(Stage):
    """Builds, checks and measures the engine of each network."""

    name = "export"
    needs = ("table", "finetune")

    def settings(self, work: Work) -> dict[str, Any]:
        """The engine and how it runs."""
        said = asdict(work.settings.export)
        calibration = said.pop("calibration")
        return {**said, "calibration": calibration and str(calibration), "device": work.spoken_device}

    def products(self, work: Work) -> Sequence[Path]:
        """A folder of engines."""
        return [work.out / FOLDER]

    def checks(self) -> Sequence[Callable[[Work], None]]:
        """Options that do not go together."""
        return (self.check,)

    def check(self, work: Work) -> None:
        """BadInput for an option that would change nothing."""
        make_request(self.engine(work), **self.options(work))

    def engine(self, work: Work) -> str:
        """The format."""
        return work.settings.export.engine or work.settings.device.engine

    def options(self, work: Work) -> dict[str, Any]:
        """As `hwnas.export` takes them."""
        asked, device = work.settings.export, work.settings.device
        precision = None if self.engine(work) == "auto" else device.precision
        calibration = work.folder / asked.calibration if asked.calibration else None
        return {
            "precision": precision, "batch": device.batch, "threads": device.threads, "calibration": calibration,
            "quick": asked.quick, "command": "hwnas run", "device": device.host,
        }  # fmt: skip

    def run(self, work: Work, seconds: float) -> str:
        """Those that are not there yet."""
        rows = [row for row in finetune.facts(work) if "arch" in row]
        for row in rows:
            folder = work.out / FOLDER / row["id"]
            if not _complete(folder):
                shutil.rmtree(folder, ignore_errors=True)
                export(work.out / finetune.FOLDER / f"{row['id']}.safetensors", folder, engine=self.engine(work),
                       tables=self.tables(work), **self.options(work))  # fmt: skip
        found = [Engine(work.out / FOLDER / row["id"]) for row in rows]
        return ", ".join(f"{e.name} {e.measured_ms:.3g} ms" for e in found if e.measured_ms is not None)

    def tables(self, work: Work) -> list[Path]:
        """The device's, where the engine is what it predicts."""
        fits = predicts(LatencyTable(work.table).data, work.device.engine, work.device.options)
        return [work.table] if fits and self.engine(work) in ("auto", work.settings.device.engine) else []


def engines(work: Work) -> list[Engine]:
    """Those that were exported, in the order of their training."""
    return [Engine(work.out / FOLDER / row["id"]) for row in finetune.facts(work) if "arch" in row]


def _complete(folder: Path) -> bool:
    try:
        Engine(folder)
    except HwnasError:
        return False
    return True
