"""The stages of a recipe, in order. Another one is a file in `stages/` and a line here."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.recipe.stage import Stage
from hwnas.recipe.stages.compare import CompareStage
from hwnas.recipe.stages.export import ExportStage
from hwnas.recipe.stages.finetune import FinetuneStage
from hwnas.recipe.stages.report import ReportStage
from hwnas.recipe.stages.search import SearchStage
from hwnas.recipe.stages.select import SelectStage
from hwnas.recipe.stages.supernet import SupernetStage
from hwnas.recipe.stages.table import TableStage
from hwnas.recipe.stages.validate import ValidateStage
from profilers.errors import BadInput, nearest

STAGES: tuple[Stage, ...] = (
    TableStage(), SupernetStage(), SearchStage(), SelectStage(), FinetuneStage(), ExportStage(), ValidateStage(),
    CompareStage(), ReportStage(),
)  # fmt: skip
NAMES = tuple(stage.name for stage in STAGES)


def between(first: str | None, last: str | None) -> Sequence[Stage]:
    """The stages from one to another, both included; BadInput for an unknown name, or the wrong order."""
    for name in (first, last):
        if name is not None and name not in NAMES:
            raise BadInput(f"a stage {name!r}", ", ".join(NAMES), nearest(name, NAMES))
    start, end = NAMES.index(first or NAMES[0]), NAMES.index(last or NAMES[-1])
    if start > end:
        raise BadInput(f"from {first} until {last}", f"{first} comes after {last}")
    return STAGES[start : end + 1]
