"""Engines: exported with their datasheet and run.py, and validated again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.parts.common import compared, runtime

if TYPE_CHECKING:
    from hwnas import Network

COLUMNS = ("network", "exported ms", "predicted ms", "validated ms", "within interval", "top-1 agreement",
           "largest logit difference", "files", "differs")  # fmt: skip


def run(check: Check, found: Findings) -> None:
    """The part."""
    profiler, rows = runtime(check.runtime), []
    smallest, _, *others = compared(check)  # the smallest is compiled in the shortest time
    if not profiler.ships():
        raise LeftOut(f"{check.runtime} has no engine format in this tree")
    for network in (smallest, *others)[: check.exported]:
        rows.append(_shipped(check, network, found))
        found.grid("Engines", COLUMNS, rows)


def _shipped(check: Check, network: Network, found: Findings) -> list[Any]:
    tables = {"gpu_ms": check.table} if check.table.exists() else {}
    engine = network.export(
        check.runtime, check.folder / f"engine-{network.id}", random_weights=True, batch=check.batch,
        tables=list(tables.values()), quick=True,
    )  # fmt: skip
    for warning in engine.remarks:
        found.note(f"{network.id}: {warning}")
    again = dict(engine.validate(quick=True))
    seen = [again.get(name) for name in ("measured_ms", "within_interval", "top1_agreement", "parity_max_abs")]
    files = ", ".join(sorted(path.name for path in engine.folder.iterdir()))
    return [network.id, engine.measured_ms, engine.predicted_ms, *seen, files, "; ".join(again.get("differences", []))]
