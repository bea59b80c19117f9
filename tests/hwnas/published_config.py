"""Reader of OFA's `net.config` (MobileNetV3 ones) into our architectures: a test's oracle from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hwnas.space import SPACES, Architecture, SearchSpace, get_space


def read(folder: Path) -> tuple[SearchSpace, Architecture] | None:
    """The space and architecture of a published network's folder; None if it is of another family."""
    config = json.loads((folder / "net.config").read_text())
    if config["name"] != "MobileNetV3":
        return None
    size = json.loads((folder / "run.config").read_text())["image_size"]
    stem = config["first_conv"]["out_channels"]
    name = next(n for n, s in SPACES.items() if s.stem == stem and s.classes == 1000)
    blocks = [b["mobile_inverted_conv"] for b in config["blocks"][1:]]
    depths: list[int] = []
    for block in blocks:
        if block["in_channels"] != block["out_channels"]:
            depths.append(0)
        depths[-1] += 1
    ks = tuple(b["kernel_size"] for b in blocks)
    e = tuple(b["expand_ratio"] for b in blocks)
    return get_space(name, [size]), Architecture(tuple(depths), ks, e, size)


def published_mflops(folder: Path) -> float | None:
    """The number in a name such as flops-389M_top1-79.1."""
    found = re.match(r"flops-(\d+)M", folder.name)
    return float(found[1]) if found else None
