"""The classifier's time for any number of classes, by its times at a few: the only layer that depends on them.

    w  numbers of classes of which a table has the time      t  their times, ms      n  the number asked for

Multiply-adds and bytes of a linear layer are linear in the classes, so its time is taken linearly between the two
widths about n, beyond all of them by the line through the nearest two. How far that is from the truth is told by a
third width: the second divided difference c of the nearest three, as |c (n - a) (n - b)|, is what a parabola would say
differently, and counts as a standard error beside those of t. Source: Newton's interpolation and its remainder.

A table that has one width only (imported, or of an older version) is scaled by the kernel's bytes, beside a constant
(a launch) that is not known: anything from nothing to the table's fastest convolution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lut.estimate.kernels import FEATURES, features, kernels
from lut.protocols import Layer, Space
from lut.table.entry import Entry

WIDTHS = (2, 100, 1000)  # measured in every table, beside the space's own
OTHERS = 3  # one network of so many has another number of classes than the space
_LEAST_MS = 1e-9


class Classifier(NamedTuple):
    """Its entry, and where that is none of the table's, how it came about.

    `how` in words, "" for an entry of the table; `rough` where it lies beyond what was measured; `more` the standard
    error, ms, that comes on top of what the table's interval knows.
    """

    entry: Entry
    how: str = ""
    rough: bool = False
    more: float = 0.0


def widths(space: Space) -> tuple[int, ...]:
    """Numbers of classes of which a table of `space` has the classifier's time, ascending."""
    return tuple(sorted({*WIDTHS, space.classes}))


def classifiers(space: Space) -> list[Layer]:
    """The classifiers of these widths."""
    return [space.with_classes(n).classifier for n in widths(space)]


def spread_classes(space: Space, n: int, seed: int) -> list[int]:
    """Numbers of classes for n networks in random order: the space's own, and for one of `OTHERS` the other widths."""
    rng = np.random.default_rng(seed)
    others = [w for w in widths(space) if w != space.classes]
    few = n // OTHERS
    start = int(rng.integers(len(others)))
    chosen = [others[(start + i) % len(others)] for i in range(few)] + [space.classes] * (n - few)
    order: list[int] = rng.permutation(chosen).tolist()
    return order


def classifier(
    entries: Mapping[str, Entry], layer: Layer, own: Layer, batch: int, weights: Sequence[float] | None = None
) -> Classifier | None:
    """The time of the classifier `layer`; None where the table has none with as many inputs.

    Args:
        entries: of the table.
        layer: the classifier wanted.
        own: that of the table's own number of classes.
        batch: images a run.
        weights: milliseconds a unit of `lut.estimate.kernels.FEATURES`, of a table that was fitted to whole networks.
    """
    if layer.key in entries:
        return Classifier(entries[layer.key])
    if weights is None and len(known := _known(entries, layer)) > 1:
        return _by_line(known, layer.out_channels)
    if own.key not in entries or own.in_channels != layer.in_channels:
        return None
    return _scaled(entries, layer, own, batch, weights)


def _known(entries: Mapping[str, Entry], layer: Layer) -> dict[int, Entry]:
    """Entries of classifiers that differ from `layer` in the number of classes only, which ends their key."""
    stem = layer.key.removesuffix(str(layer.out_channels))
    ends = [key.removeprefix(stem) for key in entries if key.startswith(stem)]
    return {int(end): entries[stem + end] for end in ends if end.isdecimal()}


def _by_line(known: Mapping[int, Entry], n: int) -> Classifier:
    near = sorted(known, key=lambda w: abs(math.log(w / n)))
    above, below = [w for w in near if w > n], [w for w in near if w < n]
    inside = bool(above and below)
    a, b = sorted((above[0], below[0]) if inside else near[:2])
    share = (n - a) / (b - a)
    ms = (1 - share) * known[a].ms + share * known[b].ms
    se = math.hypot((1 - share) * known[a].se, share * known[b].se)
    bend = abs(_curvature(known, a, b, [w for w in near if w not in (a, b)]) * (n - a) * (n - b))
    way = f"interpolated between {a} and {b}" if inside else f"extrapolated from {a} and {b}"
    entry = Entry(max(ms, _LEAST_MS), math.hypot(se, bend), min(known[a].n, known[b].n))
    return Classifier(entry, f"classifier of {n} classes {way}", not inside, bend if inside else entry.se)


def _curvature(known: Mapping[int, Entry], a: int, b: int, others: Sequence[int]) -> float:
    """The second divided difference of the nearest three, ms; 0 where there are two only."""
    if not others:
        return 0.0
    w = others[0]
    first, second = ((known[q].ms - known[p].ms) / (q - p) for p, q in ((a, b), (b, w)))
    return (second - first) / (w - a)


def _scaled(
    entries: Mapping[str, Entry], layer: Layer, own: Layer, batch: int, weights: Sequence[float] | None
) -> Classifier:
    base = entries[own.key]
    if weights is not None:  # the constant of each network, which stands in this entry, stays
        change = float((features(layer, batch) - features(own, batch)) @ np.array(weights)[: len(FEATURES)])
        unsure, way = abs(change) * base.se / base.ms, "the fitted features"
    else:
        ratio = _moved(layer, batch) / _moved(own, batch)
        fastest = min((e.ms for key, e in entries.items() if key.startswith(("conv", "mbconv"))), default=0.0)
        constant = min(fastest, base.ms) / 2  # the middle of what it may be
        change, unsure = (ratio - 1) * (base.ms - constant), abs(ratio - 1) * constant / math.sqrt(3)
        way = "the bytes that its kernel moves"
    ms = max(base.ms + change, _LEAST_MS)
    entry = Entry(ms, math.hypot(base.se * ms / base.ms, unsure), base.n)
    return Classifier(entry, f"classifier scaled from {own.out_channels} to {layer.out_channels} classes by {way}",
                      True, unsure)  # fmt: skip


def _moved(layer: Layer, batch: int) -> float:
    return sum(kernel.moved for kernel in kernels(layer, batch))
