"""`lut plan` → measure → `lut fit`, and every prediction there is against other measured networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings
from tools.gpu_check.parts.common import AGREEMENT, agreement, device, sample

if TYPE_CHECKING:
    from hwnas import Device, LatencyTable, MeasuredNetworks, Network

TOGETHER = 18  # networks measured against each other


def run(check: Check, found: Findings) -> None:
    """The part."""
    import hwnas

    own = device(check)
    planned, _ = hwnas.plan_networks(check.space, check.planned, check.batch, resolutions=check.resolutions)
    seen = own.measure(planned, check.planned_networks)
    found.figure("networks that were planned and measured", len(seen.latencies))
    fitted = hwnas.LatencyTable.fit(seen, own.profiler.device_name() or "CPU", check.batch)
    fitted.save(check.folder / "fitted.json")
    for others in _measured(own, check):
        others.save(check.networks)
        _compare(found, check, fitted, others)


def _measured(own: Device, check: Check) -> Iterator[MeasuredNetworks]:
    """The random networks that are measured so far, after each group of them, while there is time."""
    from hwnas import MeasuredNetworks

    networks, done, took = list(sample(check, check.tested)), None, 0.0
    for group in _groups(networks):
        if done is not None and check.seconds < 1.3 * took:
            return
        before = check.seconds
        new = own.measure(group)
        took = before - check.seconds
        rows, archs = (new.rows, new.archs) if done is None else ([*done.rows, *new.rows], [*done.archs, *new.archs])
        done = MeasuredNetworks(new.space, archs, rows)
        yield done


def _groups(networks: Sequence[Network]) -> Iterator[Sequence[Network]]:
    for i in range(0, len(networks), TOGETHER):
        yield networks[i : i + TOGETHER]


def _compare(found: Findings, check: Check, fitted: LatencyTable, others: MeasuredNetworks) -> None:
    """The fitted table, and the one in context where it was made, against the measured networks."""
    from hwnas import LatencyTable

    tables = {f"fit of {check.planned}": fitted}
    if check.table.exists():
        tables["in context"] = LatencyTable(check.table)
    rows: list[list[Any]] = []
    for name, table in tables.items():
        predicted = table.predict(others.networks)
        inside = (predicted.low <= others.latencies) & (predicted.high >= others.latencies)
        rows.append([name, *agreement(predicted.ms, others.latencies), float(inside.mean())])
    title = f"Against measured networks that neither has seen (of {check.tested}: as many as there was time for)"
    found.grid(
        title, ["table", *AGREEMENT, "within its interval", "networks"], [[*row, len(others.rows)] for row in rows]
    )
