"""What to ship: the most accurate engine that keeps the budget, beside known networks of the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hwnas.api.engines import Engine
from hwnas.recipe.records import compared
from hwnas.recipe.stages import compare, export, finetune
from hwnas.recipe.stages.validate import validation
from hwnas.recipe.work import Work

KEPT, BROKEN, OPEN, NONE = "kept", "not kept", "within the noise", "none"


@dataclass(frozen=True)
class Candidate:
    """An engine: its accuracy on `split` with its 95 % interval (%), its latency as measured again (ms)."""

    id: str
    folder: str
    top1: float | None
    top1_low: float | None
    top1_high: float | None
    split: str
    images: int
    val_top1: float
    predicted_ms: float | None
    ms: float
    ms_low: float
    ms_high: float
    budget_ms: float | None
    budget: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def candidates(work: Work) -> list[Candidate]:
    """All engines, the one to ship first: that surely keeps the budget, then by accuracy on validation images."""
    rows = {row["id"]: row for row in finetune.facts(work)}
    found = [_candidate(work, engine, rows[engine.folder.name]["val_top1"]) for engine in export.engines(work)]
    order = (KEPT, NONE, OPEN, BROKEN)
    return sorted(found, key=lambda c: (order.index(c.budget), -c.val_top1, c.ms))


def _candidate(work: Work, engine: Engine, val_top1: float) -> Candidate:
    again, accuracy = validation(work, engine.folder.name), engine.datasheet["accuracy"]
    ms, low, high = (float(again[k]) for k in ("measured_ms", "measured_low", "measured_high"))
    limit, top1, split = work.settings.budget.get(work.latency), accuracy["top1"], accuracy["split"] or ""
    return Candidate(
        engine.name, work.relative_to_recipe(engine.folder), top1["value"], top1.get("low"), top1.get("high"), split,
        work.dataset.size(split) if split else 0, val_top1, engine.predicted_ms, ms, low, high, limit,
        verdict(low, high, limit),
    )  # fmt: skip


def verdict(low: float, high: float, limit: float | None) -> str:
    """Whether a latency's interval keeps a limit."""
    if limit is None:
        return NONE
    return KEPT if high <= limit else BROKEN if low > limit else OPEN


def known(work: Work) -> list[dict[str, Any]]:
    """Rows of the known networks that were compared."""
    path, names = (
        work.out / compare.FOLDER / "compare.json",
        [m.partition("=")[0] for m in work.settings.compare.models],
    )
    rows = compared(path) if names and path.is_file() else []
    begun = {row["id"]: row.get("from") for row in finetune.facts(work)}
    return [{**row, "from": begun.get(row["name"])} for row in rows if row["name"] in names]


def lines(found: Sequence[Candidate], others: Sequence[dict[str, Any]]) -> list[str]:
    """For people: the one to ship, the others, the known ones."""
    first, *rest = found
    told = [f"ship {first.id}: {_described(first)}; it lies in {first.folder}"]
    told += [f"or   {one.id}: {_described(one)}" for one in rest]
    return [*told, *(f"{row['name']}: {_known(row)}" for row in others)]


def _described(one: Candidate) -> str:
    limit = "no budget was given" if one.budget_ms is None else f"budget {one.budget_ms:g} ms {one.budget}"
    predicted = "" if one.predicted_ms is None else f", predicted {one.predicted_ms:.3g}"
    images = f" of {one.images} {one.split} images" if one.split else ""
    note = ", which also chose it" if one.split == "val" else ""
    top1 = _percent(one.top1, one.top1_low, one.top1_high)
    return f"top-1 {top1}{images}{note}; {one.ms:.3g} ms ({one.ms_low:.3g} to {one.ms_high:.3g}{predicted}), {limit}"


def _known(row: dict[str, Any]) -> str:
    ms = "not timed" if row["ms"] is None else f"{row['ms']:.3g} ms"
    if row["top1"] is None:
        return f"{ms}, not trained on these images"
    return (
        f"top-1 {_percent(row['top1'], row['top1_low'], row['top1_high'])}, {ms}; the same training, from {row['from']}"
    )


def _percent(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "not known"
    return f"{value:.1f} %" + ("" if low is None or high is None else f" ({low:.1f} to {high:.1f})")
