"""An architecture as people and files write it: {"ks": [..], "e": [..], "d": [..], "r": 224}."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from profilers.errors import BadInput

_KEYS = {"ks", "e", "d", "r", "w"}


@dataclass(frozen=True, order=True)
class Architecture:
    """Depth of each stage `d`, then kernel and expand of each expressed layer, and the resolution in pixels."""

    d: tuple[int, ...]
    ks: tuple[int, ...]
    e: tuple[int, ...]
    r: int

    def to_json(self) -> dict[str, Any]:
        """The compact form, which is canonical: only expressed layers stand in `ks` and `e`."""
        return {"ks": list(self.ks), "e": list(self.e), "d": list(self.d), "r": self.r}

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that name this architecture."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]


def parse(value: Any, *, slots_per_stage: int, width: float | None = None) -> Architecture:
    """Read either JSON form: compact lists, or OFA's lists padded to `slots_per_stage` entries a stage.

    Raises:
        BadInput: a missing, unknown or misfitting value. Membership of a space is checked by the space.
    """
    if not isinstance(value, Mapping) or not _KEYS >= set(value) >= {"ks", "e", "d", "r"}:
        got = sorted(value) if isinstance(value, Mapping) else type(value).__name__
        raise BadInput(f"an architecture with {got}", 'an object {"ks": [..], "e": [..], "d": [..], "r": 224}')
    if width is not None and value.get("w", width) != width:
        raise BadInput(
            f"an architecture of width {value['w']}", f"width {width:g} in this space", "--space of that width"
        )
    d = _integers(value["d"], "d")
    resolution = value["r"][0] if isinstance(value["r"], list) and len(value["r"]) == 1 else value["r"]
    (r,) = _integers([resolution], "r")
    if any(x < 0 or x > slots_per_stage for x in d):
        raise BadInput(f"depths {list(d)}", f"0 to {slots_per_stage} layers a stage")
    ks, e = (_expressed(_integers(value[k], k), d, slots_per_stage, k) for k in ("ks", "e"))
    return Architecture(d, ks, e, r)


def _integers(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or any(isinstance(x, bool) or not isinstance(x, int) for x in value):
        raise BadInput(f"{name!r} of an architecture is {value!r}", "integers")
    return tuple(value)


def _expressed(values: tuple[int, ...], d: tuple[int, ...], per_stage: int, name: str) -> tuple[int, ...]:
    if len(values) == sum(d):
        return values
    if len(values) != per_stage * len(d):
        allowed = f"{sum(d)} (the sum of d) or {per_stage * len(d)} (padded to {per_stage} a stage)"
        raise BadInput(f"{name!r} of an architecture has {len(values)} entries", allowed)
    return tuple(x for i, n in enumerate(d) for x in values[i * per_stage : i * per_stage + n])
