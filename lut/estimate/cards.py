"""Cards by name, with peak rates from data sheets: FP32 outside tensor cores, boost clock, nominal bandwidth.

`source` names the maker's document and, after "seen:", where the numbers were looked up; cores x 2 x boost clock gives
the peak where both are stated. Compute capabilities: developer.nvidia.com/cuda-gpus and /cuda-legacy-gpus.
"""

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
    Gpu("GTX 1080 Ti", 11.3, 484.0, "6.1",
        "NVIDIA GTX 1080 Ti specifications: 3584 cores, 1582 MHz, 484 GB/s; seen: techgage.com, TITAN Xp announcement"),
    Gpu("Titan Xp", 12.1, 547.7, "6.1",
        "NVIDIA TITAN Xp specifications: 3840 cores, 1582 MHz, 547.7 GB/s; seen: techgage.com, TITAN Xp announcement"),
    Gpu("RTX 2080 Ti", 13.4, 616.0, "7.5",
        "NVIDIA Turing whitepaper, reference card: 4352 cores, 1545 MHz (Founders Edition: 1635 MHz, 14.2 TFLOP/s), "
        "616 GB/s; seen: tomshardware.com, Titan RTX specs"),
    Gpu("Titan RTX", 16.3, 672.0, "7.5",
        "NVIDIA TITAN RTX specifications: 4608 cores, 1770 MHz, 672 GB/s; seen: tomshardware.com, Titan RTX specs"),
    Gpu("V100", 15.7, 900.0, "7.0",
        "NVIDIA V100 data sheet, SXM2: 5120 cores, 15.7 TFLOP/s, 900 GB/s; seen: huggingface.co, gpu_catalog.json"),
    Gpu("T4", 8.1, 320.0, "7.5",
        "NVIDIA T4 data sheet: 2560 cores, 1590 MHz, 320 GB/s; seen: huggingface.co, gpu_catalog.json"),
    Gpu("A100", 19.5, 1555.0, "8.0",
        "NVIDIA A100 data sheet, 40 GB: 6912 cores, 1410 MHz, 1555 GB/s; seen: huggingface.co, gpu_catalog.json"),
    Gpu("A10", 31.2, 600.0, "8.6",
        "NVIDIA A10 data sheet: 9216 cores, 1695 MHz, 600 GB/s; seen: huggingface.co, gpu_catalog.json (as A10G)"),
    Gpu("L4", 30.3, 300.0, "8.9",
        "NVIDIA L4 data sheet: 30.3 TFLOP/s, 300 GB/s; seen: fpsbench.com and pcpartcomparison.com, L4"),
    Gpu("RTX 3090", 35.6, 936.0, "8.6",
        "NVIDIA Ampere GA102 whitepaper: 10496 cores, 35.6 TFLOP/s; seen: huggingface.co, ohdoking/gpu_spec; 936 GB/s "
        "from 384 bits at 19.5 Gbit/s (1219 MHz memory clock, lambdabrendan/Lambda-LLM-Calculator)"),
    Gpu("RTX 4090", 82.6, 1008.0, "8.9",
        "NVIDIA Ada whitepaper: 16384 cores, 82.6 TFLOP/s, 1008 GB/s; seen: huggingface.co, ohdoking/gpu_spec; "
        "gist mikasenghaas/d63ded03 for the bandwidth"),
    Gpu("H100", 67.0, 3350.0, "9.0",
        "NVIDIA H100 data sheet, SXM5: 67 TFLOP/s, 3.35 TB/s; seen: archive-lib.hpctech.co.jp, glennklockwood.com"),
    Gpu("Jetson AGX Orin", 5.3, 204.8, "8.7",
        "NVIDIA Jetson AGX Orin technical brief, 64 GB: 2048 cores, 5.3 TFLOP/s; seen: mzph.cn/web/30785.shtml, "
        "after the brief; 204.8 GB/s from 256 bits of LPDDR5 at 6.4 Gbit/s"),
    Gpu("Jetson AGX Xavier", 1.4, 136.5, "7.2",
        "NVIDIA Jetson AGX Xavier data sheet: 512 cores, 256 bits of LPDDR4x, 137 GB/s; seen: gist discort/2213fcd6, "
        "gist r7vme/7276929c (deviceQuery); 1.4 TFLOP/s from 1377 MHz, which was not looked up again"),
)  # fmt: skip
GPUS = {re.sub(r"[^a-z0-9]", "", card.name.lower()): card for card in _CARDS}
DEFAULT = "GTX 1080 Ti"


def get_gpu(name: str) -> Gpu:
    """The card of that name, whatever its spelling (`1080ti`, `GTX-1080-Ti`); BadInput lists the known ones."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("nvidia").removeprefix("geforce")
    matches = [card for key, card in GPUS.items() if plain in (key, re.sub("^(gtx|rtx|jetsonagx|jetson)", "", key))]
    if len(matches) != 1:
        raise BadInput(f"unknown GPU {name!r}", ", ".join(card.name for card in _CARDS))
    return matches[0]
