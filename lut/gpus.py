"""Cards by name, with peak rates from data sheets: FP32 outside tensor cores, boost clock, nominal bandwidth."""

from __future__ import annotations

import re
from dataclasses import dataclass

from profilers.errors import BadInput


@dataclass(frozen=True)
class Gpu:
    """One card: FP32 TFLOP/s, memory GB/s, compute capability, and where the numbers stand."""

    name: str
    tflops: float
    gb_s: float
    capability: str
    source: str


_CARDS = (
    Gpu("GTX 1080 Ti", 11.3, 484.0, "6.1", "NVIDIA GeForce GTX 1080 Ti specifications: 3584 cores, 1582 MHz, 484 GB/s"),
    Gpu("Titan Xp", 12.1, 547.7, "6.1", "NVIDIA TITAN Xp specifications: 3840 cores, 1582 MHz, 547.7 GB/s"),
    Gpu("RTX 2080 Ti", 13.4, 616.0, "7.5", "NVIDIA Turing architecture whitepaper, table 1, reference card"),
    Gpu("Titan RTX", 16.3, 672.0, "7.5", "NVIDIA TITAN RTX specifications: 4608 cores, 1770 MHz, 672 GB/s"),
    Gpu("V100", 15.7, 900.0, "7.0", "NVIDIA V100 data sheet, SXM2"),
    Gpu("T4", 8.1, 320.0, "7.5", "NVIDIA T4 data sheet and product brief PB-09256"),
    Gpu("A100", 19.5, 1555.0, "8.0", "NVIDIA A100 data sheet, 40 GB"),
    Gpu("A10", 31.2, 600.0, "8.6", "NVIDIA A10 data sheet"),
    Gpu("L4", 30.3, 300.0, "8.9", "NVIDIA L4 data sheet"),
    Gpu("RTX 3090", 35.6, 936.0, "8.6", "NVIDIA Ampere GA102 whitepaper, table 2"),
    Gpu("RTX 4090", 82.6, 1008.0, "8.9", "NVIDIA Ada architecture whitepaper, appendix A"),
    Gpu("H100", 67.0, 3350.0, "9.0", "NVIDIA H100 data sheet, SXM"),
    Gpu("Jetson AGX Orin", 5.3, 204.8, "8.7", "NVIDIA Jetson AGX Orin technical brief, 64 GB: 2048 cores, 1.3 GHz"),
    Gpu("Jetson AGX Xavier", 1.4, 136.5, "7.2", "NVIDIA Jetson AGX Xavier data sheet: 512 cores, 1377 MHz"),
)
GPUS = {re.sub(r"[^a-z0-9]", "", card.name.lower()): card for card in _CARDS}
DEFAULT = "GTX 1080 Ti"


def get_gpu(name: str) -> Gpu:
    """The card of that name, whatever its spelling (`1080ti`, `GTX-1080-Ti`); BadInput lists the known ones."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("nvidia").removeprefix("geforce")
    matches = [card for key, card in GPUS.items() if plain in (key, re.sub("^(gtx|rtx|jetsonagx|jetson)", "", key))]
    if len(matches) != 1:
        raise BadInput(f"unknown GPU {name!r}", ", ".join(card.name for card in _CARDS))
    return matches[0]
