"""Cards by name, with peak rates from data sheets: FP32 outside tensor cores, boost clock, nominal bandwidth.

`source` names the maker's document and, after "seen:", where the numbers were looked up, because the maker's own pages
(`url`) could not be opened then. What a source does not state is None, and `source` says so. Compute capabilities:
developer.nvidia.com/cuda-gpus and /cuda-legacy-gpus. Cores of a multiprocessor: CUDA C++ programming guide, table of
technical specifications per compute capability.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from profilers.errors import BadInput

SM_CORES = {"6.1": 128, "7.0": 64, "7.2": 64, "7.5": 64, "8.0": 64, "8.6": 128, "8.7": 128, "8.9": 128, "9.0": 128,
            "11.0": 128, "12.0": 128}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """One card: FP32 TFLOP/s, memory GB/s, compute capability, and where the numbers stand.

    `mhz` is the boost clock: cores x 2 x clock is the peak. `memory` has the bus in bits and Gbit/s of each, which give
    the bandwidth. Both are None where the source does not state them; `url` is empty for cards whose page is not known.
    """

    name: str
    tflops: float
    gb_s: float
    capability: str
    cores: int
    mhz: float | None
    memory: tuple[int, float] | None
    url: str
    source: str

    @property
    def sms(self) -> float:
        """Multiprocessors."""
        return self.cores / SM_CORES[self.capability]


_GEFORCE = "https://www.nvidia.com/en-us/geforce/graphics-cards/compare/"
_BLACKWELL = "https://images.nvidia.com/aem-dam/Solutions/geforce/blackwell/nvidia-rtx-blackwell-gpu-architecture.pdf"
_JETSON = "https://developer.nvidia.com/embedded/jetson-modules"
_MAP = "github.com/lamonoai/gpumap, nvidia/GPU.md"
_SPEC = "huggingface.co, ohdoking/gpu_spec"
_CATALOG = "huggingface.co, gpu_catalog.json"
_WIDTHS = "github.com/CYBIRD-D/How-to-Choose-your-LLM-Model-for-translation, Nvidia_GPU_Specification.md"
_CARDS = (
    Gpu("GTX 1080 Ti", 11.3, 484.0, "6.1", 3584, 1582, None, "",
        "NVIDIA GTX 1080 Ti specifications; seen: techgage.com, TITAN Xp announcement"),
    Gpu("Titan Xp", 12.1, 547.7, "6.1", 3840, 1582, None, "",
        "NVIDIA TITAN Xp specifications; seen: techgage.com, TITAN Xp announcement"),
    Gpu("RTX 2080 Ti", 13.4, 616.0, "7.5", 4352, 1545, None, "",
        "NVIDIA Turing whitepaper, reference card (Founders Edition: 1635 MHz, 14.2 TFLOP/s); seen: "
        "tomshardware.com, Titan RTX specs"),
    Gpu("Titan RTX", 16.3, 672.0, "7.5", 4608, 1770, None, "",
        "NVIDIA TITAN RTX specifications; seen: tomshardware.com, Titan RTX specs"),
    Gpu("V100", 15.7, 900.0, "7.0", 5120, 1530, None, "",
        f"NVIDIA V100 data sheet, SXM2; seen: {_CATALOG}"),
    Gpu("T4", 8.1, 320.0, "7.5", 2560, 1590, None, "",
        f"NVIDIA T4 data sheet; seen: {_CATALOG}"),
    Gpu("A100", 19.5, 1555.0, "8.0", 6912, 1410, None, "https://www.nvidia.com/en-us/data-center/a100/",
        f"NVIDIA A100 data sheet, 40 GB; seen: {_CATALOG}"),
    Gpu("A10", 31.2, 600.0, "8.6", 9216, 1695, None, "",
        f"NVIDIA A10 data sheet; seen: {_CATALOG} (as A10G)"),
    Gpu("L4", 30.3, 300.0, "8.9", 7424, 2040, None, "https://www.nvidia.com/en-us/data-center/l4/",
        f"NVIDIA L4 data sheet; seen: fpsbench.com and pcpartcomparison.com, L4; cores and clock: {_MAP}"),
    Gpu("L40S", 91.6, 864.0, "8.9", 18176, 2520, (384, 18.0), "https://www.nvidia.com/en-us/data-center/l40s/",
        "NVIDIA L40S data sheet; seen: mullet.se, product 355414 (its table), and itcreations.com, L40S, for clock "
        "and memory"),
    Gpu("RTX 3090", 35.6, 936.0, "8.6", 10496, None, (384, 19.5), _GEFORCE,
        f"NVIDIA Ampere GA102 whitepaper; clock not stated; seen: {_SPEC}; memory at 1219 MHz: huggingface.co, "
        "lambdabrendan/Lambda-LLM-Calculator"),
    Gpu("RTX A6000", 38.7, 768.0, "8.6", 10752, 1800, (384, 16.0), "https://www.nvidia.com/en-us/design-visualization/rtx-a6000/",
        f"NVIDIA RTX A6000 data sheet; seen: sysrqmts.com, A6000 against Tesla P40; {_SPEC}"),
    Gpu("RTX 4060", 15.1, 272.0, "8.9", 3072, 2460, (128, 17.0), _GEFORCE,
        "NVIDIA GeForce RTX 4060 specifications; seen: fpsbench.com, RTX 4060 against T600"),
    Gpu("RTX 4060 Ti", 22.1, 288.0, "8.9", 4352, 2535, (128, 18.0), _GEFORCE,
        "NVIDIA GeForce RTX 4060 Ti specifications; peak from cores and clock (22 in the source); seen: "
        "cpu-gpu.alldbin.com, RTX 4060 Ti; guru3d.com, RTX 4060 Ti pictured"),
    Gpu("RTX 4070", 29.1, 504.0, "8.9", 5888, 2475, (192, 21.0), _GEFORCE,
        f"NVIDIA GeForce RTX 4070 specifications; seen: thefpsreview.com, RTX 4070 family; peak: {_MAP}"),
    Gpu("RTX 4070 SUPER", 35.5, 504.0, "8.9", 7168, None, None, _GEFORCE,
        f"NVIDIA GeForce RTX 4070 SUPER specifications; clock not stated; seen: {_WIDTHS}; peak: "
        "huggingface.co/hardware/rtx-4070-super"),
    Gpu("RTX 4070 Ti", 40.1, 504.0, "8.9", 7680, 2610, (192, 21.0), _GEFORCE,
        f"NVIDIA GeForce RTX 4070 Ti specifications; seen: {_SPEC}; clock and bandwidth: {_MAP}; memory: twojepc.pl, "
        "news42871"),
    Gpu("RTX 4070 Ti SUPER", 44.1, 672.0, "8.9", 8448, 2610, None, _GEFORCE,
        f"NVIDIA GeForce RTX 4070 Ti SUPER specifications; seen: {_WIDTHS}; peak: "
        "huggingface.co/hardware/rtx-4070-ti-super; clock and multiprocessors: gist bigsnarfdude/946229ab (device "
        "query)"),
    Gpu("RTX 4080", 48.7, 716.8, "8.9", 9728, 2505, (256, 22.4), _GEFORCE,
        f"NVIDIA GeForce RTX 4080 specifications; seen: {_SPEC}; clock and memory: cpu-gpu.alldbin.com, RTX 4080"),
    Gpu("RTX 4080 SUPER", 52.2, 736.0, "8.9", 10240, None, None, _GEFORCE,
        f"NVIDIA GeForce RTX 4080 SUPER specifications; clock not stated; seen: {_SPEC}; bandwidth: {_WIDTHS}"),
    Gpu("RTX 4090", 82.6, 1008.0, "8.9", 16384, 2520, None, _GEFORCE,
        f"NVIDIA Ada whitepaper; seen: {_SPEC}; clock: {_MAP}; bandwidth: gist mikasenghaas/d63ded03"),
    Gpu("RTX 5070", 30.9, 672.0, "12.0", 6144, 2512, None, _BLACKWELL,
        f"NVIDIA RTX Blackwell whitepaper; peak from cores and clock (31 in the source); seen: {_MAP}"),
    Gpu("RTX 5070 Ti", 43.9, 896.0, "12.0", 8960, 2452, (256, 28.0), _BLACKWELL,
        f"NVIDIA RTX Blackwell whitepaper; peak from cores and clock (44 in the source); seen: {_MAP}; memory: "
        "topcpu.net, RTX 50"),
    Gpu("RTX 5080", 56.3, 960.0, "12.0", 10752, 2617, None, _BLACKWELL,
        f"NVIDIA RTX Blackwell whitepaper; peak from cores and clock (56 in the source); seen: {_MAP}"),
    Gpu("RTX 5090", 104.8, 1792.0, "12.0", 21760, 2407, (512, 28.0), _BLACKWELL,
        f"NVIDIA RTX Blackwell whitepaper; peak from cores and clock (105 in the source); seen: {_MAP}; memory: "
        "topcpu.net, RTX 50"),
    Gpu("H100", 67.0, 3350.0, "9.0", 16896, 1980, None, "https://www.nvidia.com/en-us/data-center/h100/",
        f"NVIDIA H100 data sheet, SXM5; seen: archive-lib.hpctech.co.jp, glennklockwood.com; cores and clock: {_MAP}"),
    Gpu("H200", 67.0, 4800.0, "9.0", 16896, 1980, None, "https://www.nvidia.com/en-us/data-center/h200/",
        f"NVIDIA H200 data sheet, SXM5; seen: {_MAP}; saulelectric.com, nvidia-h200"),
    Gpu("Jetson AGX Orin", 5.3, 204.8, "8.7", 2048, None, (256, 6.4), _JETSON,
        "NVIDIA Jetson AGX Orin technical brief, 64 GB; clock not stated; seen: mzph.cn/web/30785.shtml, after the "
        "brief"),
    Gpu("Jetson Orin Nano", 1.28, 68.0, "8.7", 1024, 625, None, _JETSON,
        "NVIDIA Jetson Orin Nano data sheet, 8 GB; peak from cores and clock; seen: scribd.com/document/673174036; "
        "bandwidth: brojogopalsapui.com, Jetson Orin Nano"),
    Gpu("Jetson Orin Nano Super", 2.09, 102.0, "8.7", 1024, 1020, None, _JETSON,
        "NVIDIA Jetson Orin Nano Super data sheet, 8 GB; peak from cores and clock; seen: brojogopalsapui.com, "
        "Jetson Orin Nano"),
    Gpu("Jetson AGX Thor", 8.06, 273.0, "11.0", 2560, 1575, (256, 8.532), _JETSON,
        "NVIDIA Jetson Thor data sheet, T5000; peak from cores and clock; seen: developer.ridgerun.com, Jetson AGX "
        "Thor, SoM overview"),
    Gpu("Jetson AGX Xavier", 1.4, 136.5, "7.2", 512, 1377, None, _JETSON,
        "NVIDIA Jetson AGX Xavier data sheet: 256 bits of LPDDR4x, 137 GB/s; seen: gist discort/2213fcd6, gist "
        "r7vme/7276929c (deviceQuery); the clock was not looked up again"),
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
