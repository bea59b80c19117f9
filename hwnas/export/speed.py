"""A latency as people ask for it: percentiles of single runs, as far as they are known, and images a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.export.quantity import Quantity
from profilers.timing.conditions import Conditions
from profilers.timing.measurement import Measurement
from profilers.timing.percentiles import CONFIDENCE, SHARES, Percentile

RULE = "MLPerf's early-stopping rule"


def tails(found: Measurement) -> dict[str, Quantity]:
    """p90 and p99 by name; without a value where there are too few runs, which is said."""
    return {name: _tail(SHARES[name], bound) for name, bound in found.percentiles().items()}


def _tail(share: float, bound: Percentile) -> Quantity:
    if bound.ms is None:
        return Quantity(None, "ms", f"not measured: {bound.runs:,} single runs, {RULE} needs {bound.needed:,}")
    how = f"measured: {share:.0%} of runs are as quick, {CONFIDENCE:.0%} sure".replace("%", " %")
    return Quantity(bound.ms, "ms", f"{how}; {bound.runs:,} single runs as they were, {RULE}")


def rate(found: Measurement, batch: int, how: str) -> Quantity:
    """Images a second, one batch after the other, with the interval of the latency."""
    value, low, high = (1e3 * batch / ms if ms > 0 else None for ms in (found.ms, found.high, found.low))
    return Quantity(value, "images/s", how, low, high)


def disturbed(timing: Mapping[str, Any] | None) -> list[str]:
    """What the device's sensors said of a latency of a datasheet, a line each; nothing of one of before."""
    return Conditions(**((timing or {}).get("conditions") or {})).remarks()


def overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool | None:
    """Whether two quantities are a tie: their intervals overlap. None where one has no interval."""
    ends = [q[end] for q in (a, b) for end in ("low", "high") if q.get(end) is not None]
    return bool(ends[0] <= ends[3] and ends[2] <= ends[1]) if len(ends) == 4 else None
