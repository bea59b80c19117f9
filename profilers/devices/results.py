"""What a device elsewhere says of models that it timed, checked: nothing of it is taken for more than it is."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from profilers.devices.faults import clean
from profilers.devices.session import number
from profilers.devices.wire import Arrays, BadMessage
from profilers.timing.conditions import Conditions
from profilers.timing.samples import ARRAYS, Failure, Samples

FACTS = 50  # of a device before or after a measurement


def result(said: Any, arrays: Arrays, name: str) -> Samples | Failure:
    """One model's samples, or why there are none.

    Raises:
        BadMessage, KeyError, TypeError: something else.
    """
    if "reason" in said:
        return Failure(clean(said["reason"]))
    blocks, drift, runs = (arrays[f"{kind} {name}"] for kind in ARRAYS)
    if blocks.shape != drift.shape or any(
        a.ndim != 1 or a.dtype != np.dtype(np.float64) for a in (blocks, drift, runs)
    ):
        raise BadMessage("no blocks of times")
    values = {f.name: said[f.name] for f in fields(Samples) if f.name not in (*ARRAYS, "conditions")}
    for key in ("ms", "low", "high", "median", "p90", "contended_fraction"):
        values[key] = number(values[key])
    for key in ("rejected", "untimed", "timed"):
        values[key] = int(number(values[key]))
    texts = {key: clean(values[key]) for key in ("clock", "estimator", "state")}
    more = {"runs": runs, "conditions": conditions(said["conditions"]), "converged": values["converged"] is True}
    return Samples(blocks, drift, **{**values, **texts, **more})


def conditions(said: Any) -> Conditions:
    """What the device's sensors said. Raises as `result`."""
    values: dict[str, Any] = {key: clean(said[key]) for key in ("sensor", "missing", "remedy")}
    values |= {key: int(number(said[key])) for key in ("throttled", "limited", "blocks")}
    values |= {key: None if said[key] is None else number(said[key]) for key in ("low_mhz", "high_mhz")}
    values |= {key: _facts(said[key]) for key in ("before", "after")}
    reasons = [clean(word) for word in said["reasons"][:FACTS]]
    return Conditions(**values, kept=said["kept"] is True, reasons=reasons)


def _facts(said: Any) -> dict[str, Any]:
    if not isinstance(said, dict) or len(said) > FACTS:
        raise BadMessage("no facts of a device")
    return {clean(key): number(x) if isinstance(x, (int, float)) else clean(x) for key, x in said.items()}
