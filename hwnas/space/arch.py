"""An architecture as people and files write it: {"ks": [..], "e": [..], "d": [..], "r": 224}.

A space with more attributes than kernel and expand has a list for each: {"ks": [..], "e": [..], "op": [..], …}.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Self

from hwnas.space.attributes import Attribute, Option
from profilers.errors import SHOWN_LIST, BadInput, shown


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

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits that name this architecture."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]


def parse(
    value: Any, *, capacity: Sequence[int], attributes: Sequence[Attribute], width: float | None = None
) -> Architecture:
    """Read either JSON form: compact lists, or what once-for-all's programs write.

    Theirs are padded to the largest depth of each stage (with any value, or none), or one value for all layers; the
    resolution may be a list of one or be called "image_size", and a width stand beside it as "w" or "wid".

    Args:
        value: what the JSON holds.
        capacity: the largest depth of each stage; a larger one is cut to it where another stage has it (as OFA does).
        attributes: of the space.
        width: of the space, to be compared with theirs.

    Raises:
        BadInput: a missing, unknown or misfitting value. Membership of a space is checked by the space.
    """
    needed = {*(a.key for a in attributes), "d", "r"}
    if not isinstance(value, Mapping) or set(plain := _plain(value, width)) != needed:
        got = shown(sorted(map(str, value)), SHOWN_LIST) if isinstance(value, Mapping) else type(value).__name__
        raise BadInput(f"an architecture with {got}", f"an object {_form(attributes)}")
    d = _integers(_for_all(plain["d"], len(capacity)), "d")
    (r,) = _integers([_one_resolution(plain)], "r")
    if len(d) != len(capacity):
        raise BadInput(f"an architecture of {len(d)} stages", f"{len(capacity)} in this space")
    if any(x < 0 or x > max(capacity) for x in d):
        raise BadInput(f"depths {list(d)}", f"0 to {max(capacity)} layers a stage")
    d = tuple(min(x, n) for x, n in zip(d, capacity, strict=True))
    return Architecture.of(d, {a.key: _choices(plain[a.key], a, d, capacity) for a in attributes}, r)


def resolution_of(value: Mapping[str, Any]) -> Any:
    """What stands for the resolution, unchecked: alone or in a list of one, under either name."""
    r = value.get("r", value.get("image_size"))
    return r[0] if isinstance(r, list) and len(r) == 1 else r


def _one_resolution(value: Mapping[str, Any]) -> Any:
    r = resolution_of(value)
    if isinstance(r, list):
        raise BadInput(f"an architecture of {len(r)} resolutions", "one: an architecture for each")
    return r


def _plain(value: Mapping[str, Any], width: float | None) -> dict[str, Any]:
    """Without once-for-all's other names; BadInput for a network of another width."""
    own = dict(value)
    if "image_size" in own and "r" not in own:
        own["r"] = own.pop("image_size")
    for key in ("w", "wid"):
        said = own.pop(key, None)
        if said is not None and width is not None and said not in (width, [width]):
            got = f"an architecture of width {said}"
            raise BadInput(got, f"width {width:g} in this space", "the space of that width")
    return own


def _for_all(value: Any, count: int) -> Any:
    """One number stands for all."""
    return [value] * count if isinstance(value, int) and not isinstance(value, bool) else value


def _form(attributes: Sequence[Attribute]) -> str:
    lists = ", ".join(f'"{key}": [..]' for key in (*(a.key for a in attributes), "d"))
    return f'{{{lists}, "r": 224}}'


def _choices(values: Any, attribute: Attribute, d: tuple[int, ...], capacity: Sequence[int]) -> tuple[Option, ...]:
    """The options of the expressed layers."""
    if attribute.is_number:
        values = _for_all(values, sum(d))
    if not isinstance(values, list | tuple):
        raise BadInput(f"{attribute.key!r} of an architecture is {shown(values, SHOWN_LIST)}", _kind(attribute))
    return _options(_expressed(values, d, capacity, attribute.key), attribute)


def _options(values: Sequence[Any], attribute: Attribute) -> tuple[Option, ...]:
    if attribute.is_number:
        return _integers(values, attribute.key)
    if not all(isinstance(x, str) for x in values):
        raise BadInput(f"{attribute.key!r} of an architecture is {shown(values, SHOWN_LIST)}", _kind(attribute))
    return tuple(values)


def _kind(attribute: Attribute) -> str:
    return "a list of integers" if attribute.is_number else "a list of texts"


def _integers(value: Any, name: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or any(isinstance(x, bool) or not isinstance(x, int) for x in value):
        raise BadInput(f"{name!r} of an architecture is {shown(value, SHOWN_LIST)}", "integers")
    return tuple(value)


def _expressed(values: Sequence[Any], d: tuple[int, ...], capacity: Sequence[int], name: str) -> Sequence[Any]:
    if len(values) == sum(d):
        return values
    if len(values) != sum(capacity):
        allowed = f"{sum(d)} (the sum of d) or {sum(capacity)} (padded to the largest depth of each stage)"
        raise BadInput(f"{name!r} of an architecture has {len(values)} entries", allowed)
    starts = accumulate((0, *capacity[:-1]))
    return [x for start, n in zip(starts, d, strict=True) for x in values[start : start + n]]
