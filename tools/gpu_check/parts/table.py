"""A table of three resolutions, measured in context, and verified on new networks against measuring twice."""

from __future__ import annotations

import time
from typing import Any

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings
from tools.gpu_check.parts.common import device

BUILD_SHARE = 0.45  # of the part's time: the rest is for verifying
LEAST_VERIFIED = 4
_SLOWER = 2.0  # verifying a group of networks, over timing one in the build
_PERCENT = ("mape", "noise_floor_mape", "noise_floor_rounds_mape", "mape_uncalibrated", "bias", "speed_change")
_SHARES = ("within_5", "within_10", "noise_floor_within_5", "coverage", "rejected_blocks", "contended_fraction")
_PLAIN = ("kendall_tau", "noise_floor_kendall_tau", "fresh_process_ratio", "fresh_process_networks", "networks")


def run(check: Check, found: Findings) -> None:
    """The part."""
    began, own = time.monotonic(), device(check)
    budget = max(check.seconds * BUILD_SHARE, 1.0)
    table = own.build_table(check.space, check.table, resolutions=check.resolutions, budget_seconds=budget)
    found.figure("built in", time.monotonic() - began, "s")
    found.figure("method", table.data.method)
    found.figure("device", table.device)
    found.figure("layers", len(table.data.entries))
    batches = table.data.observations["batches"]
    _tracing(found, batches)
    n = affordable(check, batches)
    if n < check.verified:
        found.note(f"verified on {n} networks in place of {check.verified}, for want of time")
    figures = table.verify(n=n, seed=1)
    _verification(found, dict(figures))
    for remark in (*table.remarks, *figures.remarks):
        found.note(remark)


def affordable(check: Check, batches: Any) -> int:
    """Networks that can be verified in the time left, by what a group of them took while the table was built."""
    from lut.build.bench import TOGETHER
    from lut.verify import PASSES

    seconds = [batch["seconds"] / len(batch["networks"]) for batch in batches if batch["networks"]]
    a_network = PASSES * _SLOWER * max(seconds, default=check.seconds / TOGETHER)
    return max(LEAST_VERIFIED, min(check.verified, int(check.seconds / a_network)))


def _tracing(found: Findings, batches: Any) -> None:
    """How well nodes were charged to layers, batch by batch of covering networks."""
    columns = ("name", "seconds", "slowdown", "unattributed_fraction", "nodes")
    rows = [[batch.get(name) for name in columns] for batch in batches]
    found.grid("Batches of the build", columns, rows)


def _verification(found: Findings, figures: dict[str, Any]) -> None:
    for names, scale, unit in ((_PERCENT, 100, "%"), (_SHARES, 1, "of 1"), (_PLAIN, 1, "")):
        for name in names:
            value = figures.get(name)
            found.figure(name, None if value is None else scale * value, unit)
    if missing := figures.get("fresh_process_missing"):
        found.note(f"no plain loop in a fresh process: {missing}")
