"""Engines: exported with their datasheet and run.py, and validated again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.parts.common import compared, runtime

if TYPE_CHECKING:
    from hwnas import Network

COLUMNS = ("network", "exported ms", "by the table, uncompiled, ms", "validated ms", "top-1 agreement",
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
    from hwnas import LatencyTable

    by_table = LatencyTable(check.table).predict([network]).ms[0] if check.table.exists() else None
    folder = check.folder / f"engine-{network.id}"
    engine = network.export(check.runtime, folder, random_weights=True, batch=check.batch, quick=True)
    for warning in engine.remarks:
        found.note(f"{network.id}: {warning}")
    again = dict(engine.validate(quick=True))
    seen = [again.get(name) for name in ("measured_ms", "top1_agreement", "parity_max_abs")]
    files = ", ".join(sorted(path.name for path in engine.folder.iterdir()))
    return [network.id, engine.measured_ms, by_table, *seen, files, "; ".join(again.get("differences", []))]
