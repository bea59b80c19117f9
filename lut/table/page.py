"""A table as one HTML file without anything from outside: its facts, and a heat map of each resolution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import numpy as np

from lut.protocols import Space
from lut.table.show import Heat, facts, heat, suspicious
from lut.table.table import LatencyTable

# Perceptually even, readable for the colour-blind and in grey: five colours of matplotlib's viridis, dark is fast.
SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.facts th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; white-space: nowrap; }
.heat td { padding: .2rem .45rem; text-align: right; min-width: 3.6rem; }
.heat th { padding: .2rem .5rem; font-weight: 500; text-align: right; }
.odd { outline: 2px solid #d1242f; outline-offset: -2px; }
summary { cursor: pointer; padding: .4rem 0; font-weight: 600; }
.scroll { overflow-x: auto; }
.legend { display: flex; align-items: center; gap: .5rem; margin: .5rem 0; }
.bar { width: 12rem; height: .8rem; }
"""


def page(table: LatencyTable, space: Space, resolution: int) -> str:
    """The whole file as text; the heat map of `resolution` is open, the others are folded.

    Raises:
        TableError: a table of another space.
    """
    table.bind(space)
    odd = suspicious(table, space)
    title = f"Latency of {table.space.name} on {table.device}"
    pictures = [heat(table, space, pixels) for pixels in space.resolutions]
    low, high = min(float(p.ms.min()) for p in pictures), max(float(p.ms.max()) for p in pictures)
    rows = [*facts(table), *(("suspicious", f"{big} is faster than {small}") for small, big in odd)]
    flagged = {key for pair in odd for key in pair}
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        '<table class="facts">', *(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows), "</table>",
        f"<h2>Layers, milliseconds ({escape(table.status)})</h2>", *_legend(low, high),
        *(part for p in pictures for part in _map(p, table, space, flagged, (low, high), p.resolution == resolution)),
        "</body></html>\n",
    ]  # fmt: skip
    return "\n".join(parts)


def colour(ms: float, low: float, high: float) -> str:
    """`#rrggbb` of a time on the scale, which is logarithmic."""
    share = float(np.clip(np.log(ms / low) / max(float(np.log(high / low)), 1e-9), 0.0, 1.0))
    stops = np.linspace(0.0, 1.0, len(SCALE))
    red, green, blue = (round(float(np.interp(share, stops, channel))) for channel in zip(*SCALE, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def ink(background: str) -> str:
    """Black or white, whichever is easier to read on the colour (WCAG's relative luminance)."""
    parts = [int(background[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return "#000" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 else "#fff"


def _legend(low: float, high: float) -> Iterator[str]:
    stops = ", ".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in SCALE)
    yield f'<div class="legend"><span>{low:.3g} ms</span><div class="bar" style="background:'
    yield f'linear-gradient(to right, {stops})"></div><span>{high:.3g} ms, logarithmic; a red frame: see suspicious'
    yield "</span></div>"


def _map(
    picture: Heat, table: LatencyTable, space: Space, flagged: set[str], ends: tuple[float, float], opened: bool
) -> Iterator[str]:
    yield f"<details{' open' if opened else ''}><summary>{picture.resolution} px</summary>"
    yield '<div class="scroll"><table class="heat"><tr><th></th>'
    yield "".join(f'<th scope="col">{escape(c)}</th>' for c in picture.columns) + "</tr>"
    choices = [(k, e) for k in space.kernels for e in space.expands]
    for slot, name in enumerate(picture.rows):
        keys = [space.slot_layer(slot, picture.resolution, k, e).key for k, e in choices]
        yield f'<tr><th scope="row">{escape(name)}</th>{"".join(_cells(table, keys, flagged, ends))}</tr>'
    yield "</table></div></details>"


def _cells(table: LatencyTable, keys: Iterable[str], flagged: set[str], ends: tuple[float, float]) -> Iterator[str]:
    for key in keys:
        entry = table.entries[key]
        back = colour(entry.ms, *ends)
        about = f"{key}: {entry.ms:.4g} ms, standard error {entry.se:.2g}, {entry.n} observations"
        odd = ' class="odd"' if key in flagged else ""
        yield f'<td{odd} style="background:{back};color:{ink(back)}" title="{escape(about)}">{entry.ms:.3g}</td>'
