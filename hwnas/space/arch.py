"""An architecture as people and files write it: {"ks": [..], "e": [..], "d": [..], "r": 224}."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from profilers.errors import BadInput

_KEYS = {"ks", "e", "d", "r", "w"}


@dataclass(frozen=True, order=True)
class Architecture:
    """Depth of each stage `d`, then kernel and expand of each expressed layer, and the resolution in pixels.

    >>> Architecture(d=(1, 1, 1), ks=(3, 5, 3), e=(3, 4, 6), r=16).to_json()
    {'ks': [3, 5, 3], 'e': [3, 4, 6], 'd': [1, 1, 1], 'r': 16}
    """

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


def parse(value: Any, *, capacity: Sequence[int], width: float | None = None) -> Architecture:
    """Read either JSON form: compact lists, or OFA's lists padded to the largest depth of each stage.

    Args:
        value: what the JSON holds.
        capacity: the largest depth of each stage; a larger one is cut to it where another stage has it (as OFA does).
        width: of the space, to be compared with OFA's "w".

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
    if len(d) != len(capacity):
        raise BadInput(f"an architecture of {len(d)} stages", f"{len(capacity)} in this space")
    if any(x < 0 or x > max(capacity) for x in d):
        raise BadInput(f"depths {list(d)}", f"0 to {max(capacity)} layers a stage")
    d = tuple(min(x, n) for x, n in zip(d, capacity, strict=True))
    ks, e = (_expressed(_integers(value[k], k), d, capacity, k) for k in ("ks", "e"))
    return Architecture(d, ks, e, r)


def _integers(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or any(isinstance(x, bool) or not isinstance(x, int) for x in value):
        raise BadInput(f"{name!r} of an architecture is {value!r}", "integers")
    return tuple(value)


def _expressed(values: tuple[int, ...], d: tuple[int, ...], capacity: Sequence[int], name: str) -> tuple[int, ...]:
    if len(values) == sum(d):
        return values
    if len(values) != sum(capacity):
        allowed = f"{sum(d)} (the sum of d) or {sum(capacity)} (padded to the largest depth of each stage)"
        raise BadInput(f"{name!r} of an architecture has {len(values)} entries", allowed)
    starts = accumulate((0, *capacity[:-1]))
    return tuple(x for start, n in zip(starts, d, strict=True) for x in values[start : start + n])
