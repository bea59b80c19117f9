"""Drawings as boxes, labels and lines in pixels: the networks (paper, Fig. 12) and how often choices occur (Fig. 10).

SVG and not Plotly: they are many, small and still, need no legend or zoom, and take the page's colours from its CSS.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwnas.report.data import Floats
from hwnas.select.frequencies import Drawing, Frequencies
from hwnas.space import SearchSpace
from hwnas.space.attributes import Option

BAR, GAP, TALL, LEFT = 30, 4, 50, 176  # px: a layer's width, between layers, the highest layer, the row's label
CELL, SIDE, WIDE = 18, 20, 27  # px: a cell of a heat map, its row labels, a cell with its label below

Place = tuple[int, int]  # stage, slot


@dataclass(frozen=True)
class Box:
    """A rectangle with round corners, its CSS class, and what is shown over it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str = ""
    rx: int = 3
    opacity: float = 1.0


@dataclass(frozen=True)
class Label:
    """A text, which side of it stands at x, and its CSS class."""

    x: float
    y: float
    text: str
    anchor: str
    kind: str


@dataclass(frozen=True)
class Picture:
    """A drawing and what it says to somebody who does not see it; nothing where it is an ornament."""

    width: float
    height: float
    boxes: Sequence[Box]
    labels: Sequence[Label] = ()
    splits: Sequence[float] = ()
    spoken: str = ""
    kind: str = ""
    network: int | None = None


def network(space: SearchSpace, drawing: Drawing, name: str, note: str) -> Picture:
    """One row: stem, the blocks between dashed lines, head.

    Colour and digit say the kernel, height the expand, a frame every further choice but its first option.
    """
    width, fixed, splits, places = _frame_of(space)
    labels = [Label(0, TALL / 2 - 2, name, "start", "name"), Label(0, TALL / 2 + 14, note, "start", "note")]
    found = [_layer(space, *where, options, places[where]) for where, options in _present(drawing)]
    boxes = [fixed[0], *(box for box, _ in found), *fixed[1:]]
    spoken = f"{name}: {note}; {_spoken(drawing)}"
    return Picture(width, TALL + 8, boxes, [*labels, *(digit for _, digit in found)], splits, spoken, "network")


def kit(space: SearchSpace, drawings: Sequence[Drawing]) -> dict[str, Any]:
    """What a script makes all these drawings of: the frame, each layer that occurs once, and those of each network."""
    width, fixed, splits, places = _frame_of(space)
    at: dict[tuple[Place, tuple[Option, ...]], int] = {}
    of = [[at.setdefault(found, len(at)) for found in _present(drawing)] for drawing in drawings]
    layers = [_layer(space, *where, options, places[where]) for where, options in at]
    return {
        "width": width - LEFT,
        "height": TALL + 8,
        "fixed": [vars(replace(box, x=box.x - LEFT)) for box in fixed],
        "splits": [x - LEFT for x in splits],
        "layers": [
            {"box": vars(replace(box, x=box.x - LEFT)), "digit": vars(replace(digit, x=digit.x - LEFT))}
            for box, digit in layers
        ],
        "of": of,
    }


def _frame_of(space: SearchSpace) -> tuple[float, list[Box], list[float], dict[Place, float]]:
    """The drawing's width, the boxes that all networks have, the dashed lines, and where each layer begins."""
    splits, x = [float(LEFT + BAR + 2 * GAP)], float(LEFT + BAR + 4 * GAP)
    places: dict[Place, float] = {}
    for stage, capacity in enumerate(space.capacity):
        places |= {(stage, slot): x + GAP + slot * (BAR + GAP) for slot in range(capacity)}
        splits.append(x + capacity * (BAR + GAP) + GAP)
        x = splits[-1] + 2 * GAP
    return x + BAR + 2 * GAP, [_fixed(LEFT), _fixed(x)], splits, places


def _present(drawing: Drawing) -> Iterator[tuple[Place, tuple[Option, ...]]]:
    """Place and options of each layer that the network has."""
    for stage, slots in enumerate(drawing.layers):
        for slot, options in enumerate(slots):
            if options is not None:
                yield (stage, slot), options


def legend(space: SearchSpace) -> list[tuple[Picture, str]]:
    """What colours and heights mean, for this space."""
    kernels = [(_swatch(BAR, 14, f"k{i % 4}"), f"kernel {k} × {k}") for i, k in enumerate(space.kernels)]
    heights = [(_swatch(12, _height(space, e) * 0.6, "fixed"), f"expand {e}") for e in space.expands]
    frames = [(_swatch(BAR, 14, frame), text) for frame, text in _frames(space)]
    return [*kernels, *heights, *frames, (_swatch(BAR, 10, "fixed"), "stem and head, the same in all")]


def _swatch(width: float, height: float, kind: str) -> Picture:
    return Picture(width, height, [Box(0, 0, width, height, kind, rx=2)])


def _layer(space: SearchSpace, stage: int, slot: int, options: Sequence[Option], left: float) -> tuple[Box, Label]:
    """A layer's box, and its kernel as a digit."""
    kernel, expand, *_ = options
    height = _height(space, expand)
    title = f"block {stage + 1}, layer {slot + 1}: {_said(space, options)}"
    colour = f"k{space.attributes[0].options.index(kernel) % 4}{_frame(space, options)}"
    box = Box(left, TALL - height + 3, BAR, height, colour, title)
    return box, Label(left + BAR / 2, TALL - 3, str(kernel), "middle", "digit")


def _said(space: SearchSpace, options: Sequence[Option]) -> str:
    """A layer's choices in words."""
    kernel, *others = options
    rest = (f"{a.name} {option}" for a, option in zip(space.attributes[1:], others, strict=True))
    return ", ".join([f"kernel {kernel} × {kernel}", *rest])


def _frames(space: SearchSpace) -> list[tuple[str, str]]:
    """CSS class and text of each option that is drawn as a frame: of attributes behind kernel and expand."""
    marked = [f"{a.name} {option}" for a in space.attributes[2:] for option in a.options[1:]]
    return [(f"fixed f{i % 4}", text) for i, text in enumerate(marked)]


def _frame(space: SearchSpace, options: Sequence[Option]) -> str:
    """The CSS class of a layer's frame, the first of its choices that has one."""
    said = {f"{a.name} {option}" for a, option in zip(space.attributes, options, strict=True)}
    return next((f" {frame.removeprefix('fixed ')}" for frame, text in _frames(space) if text in said), "")


def _fixed(x: float) -> Box:
    return Box(x + GAP, TALL - 13, BAR, 16, "fixed")


def _height(space: SearchSpace, expand: Option) -> float:
    return round(TALL * int(expand) / max(space.expands), 2)


def _spoken(drawing: Drawing) -> str:
    blocks = []
    for number, stage in enumerate(drawing.layers, 1):
        layers = [" ".join([f"{k}×{k} expand {e}", *map(str, more)]) for k, e, *more in filter(None, stage)]
        blocks.append(f"block {number}: {', '.join(layers)}")
    return "; ".join(blocks)


def heat_maps(space: SearchSpace, found: Frequencies) -> list[tuple[str, Picture]]:
    """Titles and drawings of one front: each choice by layer, depth by block and resolution."""
    blocks, stages = space.stage_of.tolist(), [str(i + 1) for i in range(len(space.stages))]
    slots = [f"{block + 1}.{place + 1}" for block, place in zip(blocks, space.position.tolist(), strict=True)]
    return [
        *(
            _heat_map(f"{a.name.capitalize()} by layer", found.choices[a.name], a.options, slots, blocks)
            for a in space.attributes
        ),
        _heat_map("Depth by block", found.depth, space.all_depths, stages, [0] * len(stages)),
        _strip("Resolution (px)", found.resolution[:, 0], space.resolutions),
    ]


def _heat_map(
    title: str, shares: Floats, rows: Sequence[Option], columns: Sequence[str], blocks: Sequence[int]
) -> tuple[str, Picture]:
    side = max(SIDE, 8 + 6 * max(len(str(row)) for row in rows))
    labels = [Label(side - 6, i * CELL + 13, str(row), "end", "note") for i, row in enumerate(rows)]
    boxes = [
        _cell(side + j * CELL + 3 * blocks[j], i * CELL, float(shares[i, j]), f"{title} {column}: {row}")
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    width = side + len(columns) * CELL + 3 * blocks[-1]
    return title, Picture(width, len(rows) * CELL, boxes, labels, spoken=_summary(title, shares, rows))


def _strip(title: str, shares: Floats, choices: Sequence[Option]) -> tuple[str, Picture]:
    """A heat map of one row, its choices below."""
    boxes = [_cell(i * WIDE, 0, float(shares[i]), f"{title}: {n}", width=WIDE) for i, n in enumerate(choices)]
    labels = [Label((i + 0.5) * WIDE - 1, CELL + 11, str(n), "middle", "note") for i, n in enumerate(choices)]
    spoken = _summary(title, shares[:, None], choices)
    return title, Picture(len(choices) * WIDE, CELL + 14, boxes, labels, spoken=spoken)


def _cell(x: float, y: float, share: float, name: str, width: float = CELL) -> Box:
    if not math.isfinite(share):
        return Box(x, y, width - 2, CELL - 2, "absent", f"{name}: no network has this layer", rx=2)
    title = f"{name}, {100 * share:.0f} % of the networks"
    return Box(x, y, width - 2, CELL - 2, "heat", title, rx=2, opacity=round(max(share, 0.04), 3))


def _summary(title: str, shares: Floats, rows: Sequence[Option]) -> str:
    best = ["none" if not math.isfinite(c.max()) else str(rows[int(c.argmax())]) for c in shares.T]
    return f"{title}; most frequent: {', '.join(best)}"
