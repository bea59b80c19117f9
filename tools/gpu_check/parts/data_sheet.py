"""How the data sheet's estimate ranks the networks that were measured, and what one of them as a scale makes of it."""

from __future__ import annotations

import re

from tools.gpu_check.check import Check
from tools.gpu_check.findings import Findings, LeftOut
from tools.gpu_check.parts.common import AGREEMENT, agreement, measured, ranks


def run(check: Check, found: Findings) -> None:
    """The part."""
    from hwnas import LatencyTable, MeasuredNetworks

    seen = measured(check)
    name = _card(check)
    found.figure("data sheet", name)
    plain = LatencyTable.estimate(check.space, name, check.batch, resolutions=check.resolutions)
    ms = seen.latencies
    predicted = plain.predict(seen.networks).ms
    one = MeasuredNetworks(seen.space, seen.archs[:1], seen.rows[:1])
    scaled = LatencyTable.estimate(check.space, name, check.batch, resolutions=check.resolutions, measured=one)
    rows = [["alone, a ranker", *ranks(predicted, ms)]]
    rows.append(["scaled by one network", *agreement(scaled.predict(seen.networks).ms[1:], ms[1:])])
    found.grid(f"The estimate against {len(ms)} measured networks", ["estimate", *AGREEMENT], rows)
    found.figure("measured over estimated, mean", sum(ms) / float(predicted.sum()))


def _card(check: Check) -> str:
    """The data sheet of the card at hand; any where it is pretended."""
    from lut.estimate.cards import DEFAULT

    if check.pretended:
        return DEFAULT
    import torch

    name = torch.cuda.get_device_name(0)
    if not (found := data_sheet(name)):
        raise LeftOut(f"no data sheet of {name}")
    return found


def data_sheet(name: str) -> str:
    """The longest name of a known card whose words are all in the driver's name; "" where there is none."""
    from lut.estimate.cards import GPUS

    words = set(_words(name))
    fits = [card.name for card in GPUS.values() if set(_words(card.name)) <= words]
    return max(fits, key=len, default="")


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())
