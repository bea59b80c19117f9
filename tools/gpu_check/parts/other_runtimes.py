"""Runtimes beside torch, where they are: the same networks, and how far their logits are from torch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.parts.common import compared, device, difference, logits, runtime

if TYPE_CHECKING:
    from hwnas import Network

COLUMNS = ("runtime", "version", "precision", "network", "ms", "low", "high", "largest error")


def run(check: Check, found: Findings) -> None:
    """The part."""
    networks, rows, reasons = compared(check), [], []
    expected = _expected(check, networks)
    for name in check.others:
        try:
            version, precisions = runtime(name).status().version, runtime(name).supported_precisions()
        except LeftOut as reason:
            reasons.append(str(reason))
            found.note(str(reason))
            continue
        for precision in [p for p in ("fp32", "fp16") if p in precisions]:
            rows += [[name, version, *row] for row in _rows(check, name, precision, networks, expected, found)]
            found.grid("Other runtimes", COLUMNS, rows)
    if len(reasons) == len(check.others):
        raise LeftOut("; ".join(reasons))


def _rows(
    check: Check, name: str, precision: str, networks: list[Network], expected: dict[str, Any], found: Findings
) -> list[list[Any]]:
    """A row a network; a runtime that fails is a note."""
    try:
        own = device(check, name, precision=precision)
        measured = own.measure(networks)
        rows = []
        for network, row in zip(measured.networks, measured.rows, strict=True):
            with own.profiler.load(network.onnx(batch=check.batch), own.options) as session:
                error = difference(logits(session), expected[network.id]) if expected else None
            rows.append([precision, network.id, row["latency_ms"], row.get("low"), row.get("high"), error])
    except Exception as error:
        found.note(f"{name} {precision}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return []
    return rows


def _expected(check: Check, networks: list[Network]) -> dict[str, Any]:
    """The logits of the runtime that is checked; nothing where it is not here."""
    try:
        own = device(check)
    except LeftOut:
        return {}
    found = {}
    for network in networks:
        with own.profiler.load(network.onnx(batch=check.batch), own.options) as session:
            found[network.id] = logits(session)
    return found
