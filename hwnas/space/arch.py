"""An architecture as people and files write it: {"ks": [..], "e": [..], "d": [..], "r": 224}.

A space with more attributes than kernel and expand has a list for each: {"ks": [..], "e": [..], "op": [..], …}.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

from hwnas.space.attributes import Attribute, Option
from profilers.errors import BadInput


@dataclass(frozen=True, order=True)
class Architecture:
    """Depth of each stage `d`, then kernel and expand of each expressed layer, and the resolution in pixels.

    `more` are the choices of further attributes by key, as (key, options of the expressed layers).

    >>> Architecture(d=(1, 1, 1), ks=(3, 5, 3), e=(3, 4, 6), r=16).to_json()
    {'ks': [3, 5, 3], 'e': [3, 4, 6], 'd': [1, 1, 1], 'r': 16}
    """

    d: tuple[int, ...]
    ks: tuple[int, ...]
    e: tuple[int, ...]
    r: int
    more: tuple[tuple[str, tuple[Option, ...]], ...] = ()

    @classmethod
    def of(cls, d: Sequence[int], choices: Mapping[str, Sequence[Any]], r: int) -> Self:
        """Of the options by the keys of their attributes."""
        more = tuple((key, tuple(choices[key])) for key in sorted(choices) if key not in ("ks", "e"))
        return cls(tuple(d), tuple(choices["ks"]), tuple(choices["e"]), r, more)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Of what `to_json` gave, unchecked; what comes from elsewhere is read by `SearchSpace.parse`."""
        return cls.of(value["d"], {k: v for k, v in value.items() if k not in ("d", "r")}, value["r"])

    def to_json(self) -> dict[str, Any]:
        """The compact form, which is canonical: only expressed layers stand in the lists of choices."""
        choices = {key: list(self.values(key)) for key in self.keys}
        return {**choices, "d": list(self.d), "r": self.r}

    @property
    def keys(self) -> tuple[str, ...]:
        """Of its attributes."""
        return ("ks", "e", *(key for key, _ in self.more))

    def values(self, key: str) -> tuple[Option, ...]:
        """The options of the expressed layers; none for an attribute that it does not have."""
        return {"ks": self.ks, "e": self.e, **dict(self.more)}.get(key, ())

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that name this architecture."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]


def parse(
    value: Any, *, capacity: Sequence[int], attributes: Sequence[Attribute], width: float | None = None
) -> Architecture:
    """Read either JSON form: compact lists, or OFA's lists padded to the largest depth of each stage.

    Args:
        value: what the JSON holds.
        capacity: the largest depth of each stage; a larger one is cut to it where another stage has it (as OFA does).
        attributes: of the space.
        width: of the space, to be compared with OFA's "w".

    Raises:
        BadInput: a missing, unknown or misfitting value. Membership of a space is checked by the space.
    """
    needed = {*(a.key for a in attributes), "d", "r"}
    if not isinstance(value, Mapping) or not needed | {"w"} >= set(value) >= needed:
        got = sorted(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
        raise BadInput(f"an architecture with {got}", f"an object {_form(attributes)}")
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
    return Architecture.of(d, {a.key: _expressed(_options(value[a.key], a), d, capacity, a.key) for a in attributes}, r)


def _form(attributes: Sequence[Attribute]) -> str:
    lists = ", ".join(f'"{key}": [..]' for key in (*(a.key for a in attributes), "d"))
    return f'{{{lists}, "r": 224}}'


def _options(values: Any, attribute: Attribute) -> tuple[Option, ...]:
    if attribute.is_number:
        return _integers(values, attribute.key)
    if not isinstance(values, list | tuple) or not all(isinstance(x, str) for x in values):
        raise BadInput(f"{attribute.key!r} of an architecture is {values!r}", "texts")
    return tuple(values)


def _integers(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or any(isinstance(x, bool) or not isinstance(x, int) for x in value):
        raise BadInput(f"{name!r} of an architecture is {value!r}", "integers")
    return tuple(value)


def _expressed(
    values: tuple[Option, ...], d: tuple[int, ...], capacity: Sequence[int], name: str
) -> tuple[Option, ...]:
    if len(values) == sum(d):
        return values
    if len(values) != sum(capacity):
        allowed = f"{sum(d)} (the sum of d) or {sum(capacity)} (padded to the largest depth of each stage)"
        raise BadInput(f"{name!r} of an architecture has {len(values)} entries", allowed)
    starts = accumulate((0, *capacity[:-1]))
    return tuple(x for start, n in zip(starts, d, strict=True) for x in values[start : start + n])
