"""Drawings as inline SVG: the networks (paper, Fig. 12) and the frequencies of choices (Fig. 10)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwnas.report.data import Floats
from hwnas.report.html import Html, join, tag
from hwnas.select.choices import Drawing, Frequencies
from hwnas.space import SearchSpace

BAR, GAP, TALL, LEFT = 30, 4, 50, 176  # px: a layer's width, between layers, the highest layer, the row's label
CELL, SIDE, WIDE = 18, 20, 27  # px: a cell of a heat map, its row labels, a cell with its label below


def network(space: SearchSpace, drawing: Drawing, name: str, note: str) -> Html:
    """One row: stem, the blocks between dashed lines, head. Colour and digit say the kernel, height the expand."""
    parts: list[str] = [
        _label(0, TALL / 2 - 2, name, "start", "name"), _label(0, TALL / 2 + 14, note, "start", "note")
    ]  # fmt: skip
    x = float(LEFT)
    for block in ("stem", *range(len(space.stages)), "head"):
        fixed = isinstance(block, str)
        slots = 1 if fixed else space.capacity[int(block)]
        parts.append(_fixed(x) if fixed else _block(space, drawing, int(block), x))
        x += slots * (BAR + GAP) + GAP
        if block != "head":
            parts.append(tag("line", x1=x, x2=x, y1=0, y2=TALL + 6, class_="split"))
            x += 2 * GAP
    label = f"{name}: {note}; {_spoken(drawing)}"
    return tag("svg", *parts, viewBox=f"0 0 {x:g} {TALL + 8}", width=x, role="img", aria_label=label, class_="network")


def legend(space: SearchSpace) -> Html:
    """What colours and heights mean, for this space."""
    kernels = [_swatch(f"kernel {k} × {k}", BAR, 14, f"k{i % 4}") for i, k in enumerate(space.kernels)]
    heights = [_swatch(f"expand {e}", 12, _height(space, e) * 0.6, "fixed") for e in space.expands]
    return tag("p", *kernels, *heights, _swatch("stem and head, the same in all", BAR, 10, "fixed"), class_="legend")


def _swatch(meaning: str, width: float, height: float, class_: str) -> Html:
    box = tag("rect", x=0, y=0, width=width, height=height, rx=2, class_=class_)
    return tag("span", tag("svg", box, width=width, height=height, aria_hidden="true"), f" {meaning}", class_="key")


def _block(space: SearchSpace, drawing: Drawing, stage: int, x: float) -> Html:
    layers, parts = zip(drawing.kernels[stage], drawing.expands[stage], strict=True), []
    for slot, (kernel, expand) in enumerate(layers):
        if kernel is None or expand is None:
            continue
        left, height = x + GAP + slot * (BAR + GAP), _height(space, expand)
        colour = f"k{space.kernels.index(kernel) % 4}"
        title = tag("title", f"block {stage + 1}, layer {slot + 1}: kernel {kernel} × {kernel}, expand {expand}")
        box = tag("rect", x=left, y=TALL - height + 3, width=BAR, height=height, rx=3, class_=colour)
        digit = _label(left + BAR / 2, TALL - 3, str(kernel), "middle", "digit")
        parts.append(tag("g", title, box, digit))
    return join(parts)


def _fixed(x: float) -> Html:
    return tag("rect", x=x + GAP, y=TALL - 13, width=BAR, height=16, rx=3, class_="fixed")


def _height(space: SearchSpace, expand: int) -> float:
    return TALL * expand / max(space.expands)


def _label(x: float, y: float, content: str, anchor: str, class_: str) -> Html:
    return tag("text", content, x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def _spoken(drawing: Drawing) -> str:
    blocks = []
    for number, (kernels, expands) in enumerate(zip(drawing.kernels, drawing.expands, strict=True), 1):
        layers = [f"{k}×{k} expand {e}" for k, e in zip(kernels, expands, strict=True) if k is not None]
        blocks.append(f"block {number}: {', '.join(layers)}")
    return "; ".join(blocks)


def heat_maps(space: SearchSpace, found: Frequencies) -> Html:
    """Kernel and expand by layer, depth by block and resolution, of one front."""
    blocks, stages = space.stage_of.tolist(), [str(i + 1) for i in range(len(space.stages))]
    slots = [f"{block + 1}.{place + 1}" for block, place in zip(blocks, space.position.tolist(), strict=True)]
    maps = [
        _heat_map("Kernel by layer", found.kernel, [str(k) for k in space.kernels], slots, blocks),
        _heat_map("Expand by layer", found.expand, [str(e) for e in space.expands], slots, blocks),
        _heat_map("Depth by block", found.depth, [str(d) for d in space.all_depths], stages, [0] * len(stages)),
        _strip("Resolution (px)", found.resolution[:, 0], [str(r) for r in space.resolutions]),
    ]
    return tag("div", *maps, class_="maps")


def _heat_map(title: str, shares: Floats, rows: Sequence[str], columns: Sequence[str], blocks: Sequence[int]) -> Html:
    parts: list[str] = []
    for i, row in enumerate(rows):
        parts.append(_label(SIDE - 6, i * CELL + 13, row, "end", "note"))
        for j, column in enumerate(columns):
            x, share = SIDE + j * CELL + 3 * blocks[j], shares[i, j]
            parts.append(_cell(x, i * CELL, float(share), f"{title} {column}: {row}"))
    width = SIDE + len(columns) * CELL + 3 * blocks[-1]
    label = _summary(title, shares, rows)
    picture = tag("svg", *parts, width=width, height=len(rows) * CELL, role="img", aria_label=label)
    return tag("figure", picture, tag("figcaption", title), class_="map")


def _strip(title: str, shares: Floats, names: Sequence[str]) -> Html:
    """A heat map of one row, its names below."""
    parts: list[str] = []
    for i, name in enumerate(names):
        parts.append(_cell(i * WIDE, 0, float(shares[i]), f"{title}: {name}", width=WIDE))
        parts.append(_label(i * WIDE + WIDE / 2 - 1, CELL + 11, name, "middle", "note"))
    label = _summary(title, shares[:, None], names)
    picture = tag("svg", *parts, width=len(names) * WIDE, height=CELL + 14, role="img", aria_label=label)
    return tag("figure", picture, tag("figcaption", title), class_="map")


def _cell(x: float, y: float, share: float, name: str, width: float = CELL) -> Html:
    box = {"x": x, "y": y, "width": width - 2, "height": CELL - 2, "rx": 2}
    if not math.isfinite(share):
        return tag("g", tag("title", f"{name}: no network has this layer"), tag("rect", class_="absent", **box))
    title = tag("title", f"{name}, {100 * share:.0f} % of the networks")
    return tag("g", title, tag("rect", class_="heat", fill_opacity=max(share, 0.04), **box))


def _summary(title: str, shares: Floats, rows: Sequence[str]) -> str:
    best = ["none" if not math.isfinite(c.max()) else rows[int(c.argmax())] for c in shares.T]
    return f"{title}; most frequent: {', '.join(best)}"
