"""A table as one HTML file without anything from outside: its facts, and a heat map of each resolution."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from lut.protocols import Space
from lut.table.show import Heat, facts, heat, suspicious
from lut.table.table import LatencyTable
from profilers.markup import templates

# Perceptually even, readable for the colour-blind and in grey: five colours of matplotlib's viridis, dark is fast.
SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


@dataclass(frozen=True)
class Cell:
    """A layer's milliseconds, its colours, and what is shown over it; odd if it is faster than a smaller one."""

    text: str
    about: str
    background: str
    ink: str
    odd: bool


@dataclass(frozen=True)
class Map:
    """The layers of one resolution, by slot and choice."""

    resolution: int
    columns: tuple[str, ...]
    rows: list[tuple[str, list[Cell]]]


def page(table: LatencyTable, space: Space, resolution: int) -> str:
    """The whole file as text; the heat map of `resolution` is open, the others are folded.

    Raises:
        TableError: a table of another space.
    """
    table.bind(space)
    odd = suspicious(table, space)
    pictures = [heat(table, space, pixels) for pixels in space.resolutions]
    ends = min(float(p.ms.min()) for p in pictures), max(float(p.ms.max()) for p in pictures)
    flagged = {key for pair in odd for key in pair}
    return (
        templates("lut.table")
        .get_template("table.html")
        .render(
            title=f"Latency of {table.space.name} on {table.device}",
            scale=[_hex(*stop) for stop in SCALE],
            facts=[*facts(table), *(("suspicious", f"{big} is faster than {small}") for small, big in odd)],
            status=table.status,
            fastest=ends[0],
            slowest=ends[1],
            maps=[_map(picture, table, flagged, ends) for picture in pictures],
            opened=resolution,
        )
    )


def _map(picture: Heat, table: LatencyTable, flagged: Set[str], ends: tuple[float, float]) -> Map:
    rows = [
        (name, [_cell(key, table, key in flagged, ends) for key in keys])
        for name, keys in zip(picture.rows, picture.keys, strict=True)
    ]
    return Map(picture.resolution, picture.columns, rows)


def _cell(key: str, table: LatencyTable, odd: bool, ends: tuple[float, float]) -> Cell:
    entry = table.entries[key]
    background = colour(entry.ms, *ends)
    about = f"{key}: {entry.ms:.4g} ms, standard error {entry.se:.2g}, {entry.n} observations"
    return Cell(f"{entry.ms:.3g}", about, background, ink(background), odd)


def colour(ms: float, low: float, high: float) -> str:
    """`#rrggbb` of a time on the scale, which is logarithmic."""
    share = float(np.clip(np.log(ms / low) / max(float(np.log(high / low)), 1e-9), 0.0, 1.0))
    stops = np.linspace(0.0, 1.0, len(SCALE))
    red, green, blue = (round(float(np.interp(share, stops, channel))) for channel in zip(*SCALE, strict=True))
    return _hex(red, green, blue)


def _hex(red: int, green: int, blue: int) -> str:
    return f"#{red:02x}{green:02x}{blue:02x}"


def ink(background: str) -> str:
    """Black or white, whichever is easier to read on the colour (WCAG's relative luminance)."""
    parts = [int(background[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return "#000" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else "#fff"
