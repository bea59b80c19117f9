"""A latency table from a GPU's data sheet, where no GPU is at hand: it ranks well, but its milliseconds are too few.

Each kernel takes the largest of macs / (half the peak), bytes / (three quarters of the bandwidth) and a launch. One
measured network as a scale brings the milliseconds near the truth; how near, and how well the networks are ranked, is
in docs/measurement.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from lut.estimate.cards import Gpu, get_gpu
from lut.estimate.correction import Interval
from lut.estimate.kernels import kernels
from lut.protocols import Layer, Space
from lut.table.classifier import classifiers
from lut.table.entry import Entry
from lut.table.table import LatencyTable, SpaceId
from profilers.base import Options
from profilers.errors import BadInput

PEAK_SHARE = 0.5
BANDWIDTH_SHARE = 0.75
LAUNCH_MS = 0.006
METHOD = "roofline"
# What published networks on two cards needed, with room below for engines that fuse kernels.
TRUST = Interval(0.5, 4.0, 0.95, 0, "data sheet only, a ranker: published cards were 1.9 to 3.7 times slower")
# The same networks after scaling by each single one: what 95 % on the worse of the two cards needed, and a margin.
SCALED = Interval(0.8, 1.25, 0.95, 1, "data sheet scaled by measured networks: spread of 2,500 on two cards")


def estimate(space: Space, gpu: str, batch: int = 64) -> LatencyTable:
    """The table of `space` on the card of that name, status "estimated".

    Raises:
        BadInput: an unknown card, or a batch below 1.
    """
    card, options = get_gpu(gpu), Options(batch=batch)
    layers = {layer.key: layer for layer in (*space.all_layers(), *classifiers(space))}
    times = {key: layer_ms(layer, card, batch) for key, layer in layers.items()}
    entries = {key: Entry(ms, ms, 1) for key, ms in times.items()}  # as large an error: nothing was measured
    provenance = {
        "card": asdict(card),
        "peak_share": PEAK_SHARE,
        "bandwidth_share": BANDWIDTH_SHARE,
        "launch_ms": LAUNCH_MS,
    }
    return LatencyTable(
        SpaceId.of(space), entries, "estimated", METHOD, f"NVIDIA {card.name}", options,
        interval=TRUST, provenance=provenance,
    )  # fmt: skip


def scaled(table: LatencyTable, space: Space, archs: Sequence[Any], measured_ms: Sequence[float]) -> LatencyTable:
    """An estimated table brought to milliseconds by networks measured on the card, one or a few; status "fitted".

    Raises:
        BadInput: no network, or a time that is not a positive number.
    """
    y = np.array(measured_ms, float)
    if len(y) == 0 or len(y) != len(archs) or not (np.isfinite(y) & (y > 0)).all():
        raise BadInput(f"{len(y)} measured networks", "one or more, each with its milliseconds")
    factor = float(np.exp(np.mean(np.log(y / table.bind(space).predict(space.encode(archs)).ms))))
    entries = {key: Entry(e.ms * factor, e.se * factor, e.n) for key, e in table.entries.items()}
    observations = {"networks": [{"arch": a.to_json(), "ms": ms} for a, ms in zip(archs, y.tolist(), strict=True)]}
    return replace(
        table, entries=entries, status="fitted", method=f"{METHOD}, scaled", interval=replace(SCALED, networks=len(y)),
        provenance={**table.provenance, "scale": factor}, observations=observations,
    )  # fmt: skip


def layer_ms(layer: Layer, card: Gpu, batch: int) -> float:
    """Milliseconds of one layer for the batch."""
    macs_ms, bytes_ms = card.tflops / 2 * PEAK_SHARE * 1e9, card.gb_s * BANDWIDTH_SHARE * 1e6
    return sum(max(k.macs / macs_ms, k.moved / bytes_ms, LAUNCH_MS) for k in kernels(layer, batch))
