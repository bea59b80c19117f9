"""A table for people: where it comes from, how good it is, and its layers as a heat map.

The heat map is a pure tuple (`heat`), drawn in the terminal here and by others elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from lut.protocols import Floats, Space
from lut.table.entry import Entry
from lut.table.table import LatencyTable

Options = tuple[int | str, ...]
_SHADES = " ░▒▓█"
_VERIFY = (
    ("networks", "{networks} random networks"),
    ("mape", "MAPE {mape:.2%}"),
    ("noise_floor_mape", "measured twice {noise_floor_mape:.2%}"),
    ("within_5", "{within_5:.0%} within ±5 %"),
    ("within_10", "{within_10:.0%} within ±10 %"),
    ("kendall_tau", "Kendall's tau {kendall_tau:.3f}"),
    ("bias", "bias {bias:+.2%}"),
    ("coverage", "{coverage:.0%} in their interval"),
    ("fresh_process_ratio", "plain loop in a fresh process takes {fresh_process_ratio:.3f} of this"),
    ("speed_change", "drift of {speed_change:+.1%} corrected"),
    ("mape_as_run", "MAPE as run {mape_as_run:.2%}"),
)


@dataclass(frozen=True)
class Heat:
    """ms (slots, combinations) at one resolution, with the labels of both axes and the layers' keys."""

    ms: Floats
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    resolution: int
    keys: tuple[tuple[str, ...], ...]


def heat(table: LatencyTable, space: Space, resolution: int) -> Heat:
    """The layers of one resolution by slot and choice; a pure tuple to draw from."""
    combinations = space.combinations
    keys = tuple(tuple(space.slot_layer(s, resolution, *c).key for c in combinations) for s in range(space.slots))
    ms = np.array([[table.entries[key].ms for key in row] for row in keys])
    rows = tuple(f"slot {s}" for s in range(space.slots))
    return Heat(ms, rows, tuple(space.label(c) for c in combinations), resolution, keys)


def facts(table: LatencyTable) -> Iterator[tuple[str, str]]:
    """(name, value) lines: identity, provenance, the last verification."""
    yield "space", f"{table.space.name}, {_pixels(table.space.resolutions)} px, {len(table.entries)} layers"
    yield "classes", f"{table.space.classes} ({_widths(table)})"
    yield "status", f"{table.status} ({table.method})"
    yield "device", table.device
    options = table.options
    yield (
        "options",
        f"batch {options.batch}, {options.threads} threads, {options.precision}, {options.state or 'state not stated'}",
    )
    if table.fingerprint is not None:
        left_out = {"device"} if table.fingerprint.placement else {"device", "placement"}
        identity = table.fingerprint.identity().items()
        yield "fingerprint", ", ".join(f"{k} {_short(v)}" for k, v in identity if k not in left_out)
    yield "interval", _interval(table)
    yield "calibration", _calibration(table)
    yield "last verify", _verification(table)
    yield from (
        (name, str(table.provenance[name])) for name in ("created", "seconds", "source") if name in table.provenance
    )
    for warning in [*table.remarks, *(table.provenance.get("warnings") or [])]:
        yield "warning", str(warning)


def draw(picture: Heat) -> Iterator[str]:
    """Lines of text: milliseconds with a shade, dark is slow."""
    low, high = np.log(picture.ms.min()), np.log(picture.ms.max())
    yield f"milliseconds at {picture.resolution} px" + " " * 2 + f"({_SHADES[1]} fast … {_SHADES[-1]} slow)"
    width = max(9, *(1 + len(c) for c in picture.columns))
    yield " " * 8 + "".join(f"{c:>{width}}" for c in picture.columns)
    for name, row in zip(picture.rows, picture.ms, strict=True):
        level = (np.log(row) - low) / max(high - low, 1e-12) * (len(_SHADES) - 2)
        cells = (
            f"{ms:{width - 1}.4f}{_SHADES[1 + round(x)]}" for ms, x in zip(row.tolist(), level.tolist(), strict=True)
        )
        yield f"{name:8}" + "".join(cells)


def suspicious(table: LatencyTable, space: Space) -> list[tuple[str, str]]:
    """Pairs (smaller, bigger) of layers where the bigger kernel or expand is faster beyond three standard errors."""
    found: dict[tuple[str, str], None] = {}
    for resolution in space.resolutions:
        for slot in range(space.slots):
            for smaller, bigger in _steps(space):
                small, big = (space.slot_layer(slot, resolution, *choice).key for choice in (smaller, bigger))
                if _faster(table.entries[big], table.entries[small]):
                    found[small, big] = None
    return list(found)


def _faster(a: Entry, b: Entry) -> bool:
    """Whether `a` takes less time than `b` beyond three standard errors."""
    return b.ms - a.ms > 3 * float(np.hypot(a.se, b.se))


def _steps(space: Space) -> Iterator[tuple[Options, Options]]:
    """Combinations of which the second is the next bigger in one number."""
    attributes = space.attributes
    for i in reversed([i for i, attribute in enumerate(attributes) if attribute.is_number]):
        for others in product(*(a.options for j, a in enumerate(attributes) if j != i)):
            for a, b in pairwise(attributes[i].options):
                yield (*others[:i], a, *others[i:]), (*others[:i], b, *others[i:])


def _widths(table: LatencyTable) -> str:
    """Of which numbers of classes the classifier's time is known, and how the others' come about."""
    known = sorted(int(key.rpartition("x")[2]) for key in table.entries if key.startswith("linear-"))
    way = f"{', '.join(map(str, known))} {table.status}, others interpolated"
    return way if len(known) > 1 and not table.provenance.get("weights") else "others scaled"


def _interval(table: LatencyTable) -> str:
    if table.interval is None:
        return table.interval_source
    i = table.interval
    return f"{i.lower - 1:+.1%} … {i.upper - 1:+.1%} for {i.coverage:.0%} of networks ({table.interval_source})"


def _calibration(table: LatencyTable) -> str:
    c = table.calibration
    if c is None:
        return "none" + (", reconciled with whole networks" if table.provenance.get("reconciled") else "")
    return f"on {c.networks} networks: error {c.error_before:.1%} without, {c.error_after:.1%} with (leave-one-out)"


def _verification(table: LatencyTable) -> str:
    """The results of the last `lut verify`, in words; what an older version did not store is left out."""
    if table.verify is None:
        return "never"
    known = {k: v for k, v in table.verify.items() if isinstance(v, int | float)}
    return ", ".join(text.format(**known) for key, text in _VERIFY if key in known)


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "none"
    return "unknown" if value in (None, "") else str(value)


def _pixels(values: tuple[int, ...]) -> str:
    steps = {b - a for a, b in pairwise(values)}
    if len(values) > 2 and len(steps) == 1:
        return f"{values[0]}:{values[-1]}:{steps.pop()}"
    return ",".join(map(str, values))
