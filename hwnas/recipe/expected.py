"""How long each stage may take: the wished minutes, shared out. Estimated, and said to be."""

from __future__ import annotations

from collections.abc import Mapping

from hwnas.recipe.order import STAGES
from hwnas.recipe.work import Work

SHARES: Mapping[str, float] = {"table": 0.15, "supernet": 0.45, "search": 0.2, "finetune": 0.2}
LONGEST_TABLE = 240.0  # seconds; more lower its errors little
LEAST = 0.4  # of the wish is shared out, however long the stages of a known length are


def expected(work: Work) -> dict[str, float]:
    """Seconds by stage, 0 for one that has nothing to do."""
    left = max(60 * work.settings.minutes - sum(fixed(work).values()), LEAST * 60 * work.settings.minutes)
    shares = {stage.name: SHARES[stage.name] for stage in STAGES if stage.name in SHARES and not stage.given(work)}
    shared = {name: left * share / sum(shares.values()) for name, share in shares.items()}
    found = {stage.name: {**fixed(work), **shared}.get(stage.name, 0.0) for stage in STAGES}
    return limited(found, work.settings.table.seconds)


def fixed(work: Work) -> dict[str, float]:
    """Seconds of the stages whose length the wish does not change, as on two cores of a server of 2023."""
    networks, models = work.settings.select.n, len(work.settings.compare.models)
    each = 8.0 if work.settings.export.quick else 25.0
    compare = 10.0 + 5.0 * models if models else 0.0
    return {"select": 5.0, "export": each * networks, "validate": 6.0 * networks, "compare": compare, "report": 3.0}


def limited(found: Mapping[str, float], table: float | None) -> dict[str, float]:
    """With no more for the table than it needs, or than the recipe says; the supernet has the rest."""
    seconds = min(found["table"], LONGEST_TABLE) if table is None else table
    spare = max(found["table"] - seconds, 0.0) if found["table"] and found["supernet"] else 0.0
    return {**found, "table": seconds if found["table"] else 0.0, "supernet": found["supernet"] + spare}


def duration(seconds: float) -> str:
    """For people."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
