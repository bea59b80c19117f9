"""Networks: net.config, lists of architectures, and networks with their latency for `lut fit`."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np

from tools.campaign.case import Case, Kind
from tools.campaign.kinds import _runs
from tools.campaign.kinds.published_table import PUBLISHED
from tools.campaign.mutations import HOSTILE, Raw, as_json, of_bytes, of_tree

CONFIG = PUBLISHED / "ofa/ofa_specialized/cpu_lat-10ms_top1-71.1_finetune-25"
FIT = ("lut", "fit", "--space", "tiny", "--networks", "n.jsonl", "--device", "d", "--out", "t.json")
CHECK = ("lut", "predict", "t.json", "--archs", "archs.jsonl")
COUNT = ("count", "--space", "tiny", "--archs", "archs.jsonl")
_CONV = {
    "name": "ConvLayer", "kernel_size": 3, "stride": 2, "dilation": 1, "groups": 1, "bias": False, "use_bn": True,
    "has_shuffle": False, "in_channels": 3, "out_channels": 16, "act_func": "relu6", "dropout_rate": 0,
    "ops_order": "weight_bn_act",
}  # fmt: skip
_SMALL = {
    "name": "ProxylessNASNets", "bn": {"momentum": 0.1, "eps": 0.001}, "first_conv": _CONV,
    "blocks": [{
        "name": "MobileInvertedResidualBlock", "shortcut": None,
        "mobile_inverted_conv": {"name": "MBInvertedConvLayer", "in_channels": 16, "out_channels": 24, "kernel_size": 3,
                                 "stride": 2, "expand_ratio": 6, "mid_channels": None, "act_func": "relu6",
                                 "use_se": False}}],
    "feature_mix_layer": {**_CONV, "kernel_size": 1, "stride": 1, "in_channels": 24, "out_channels": 128},
    "classifier": {"name": "LinearLayer", "in_features": 128, "out_features": 10, "bias": True, "use_bn": False,
                   "act_func": None, "dropout_rate": 0, "ops_order": "weight_bn_act"},
}  # fmt: skip


def _prepare(folder: Path) -> None:
    import hwnas

    space = hwnas.get_space("tiny")
    archs = [arch.to_json() for arch in space.decode(space.sample(12, np.random.default_rng(1)))]
    rows = [{"arch": arch, "latency_ms": 1.0 + sum(arch["ks"]) / 10} for arch in archs]
    (folder / "n.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "archs.jsonl").write_text("\n".join(map(json.dumps, archs)))
    known = (CONFIG / "net.config").is_file()
    (folder / "net.config").write_text((CONFIG / "net.config").read_text() if known else json.dumps(_SMALL))
    (folder / "run.config").write_text((CONFIG / "run.config").read_text() if known else '{"image_size": 64}')
    _runs.must("count", "--archs", str(folder / "net.config")) if known else None
    _runs.must(*COUNT[:-1], str(folder / "archs.jsonl"))


def _mutate(random: Random, prepared: Path, here: Path) -> Case:
    for name in ("archs.jsonl", "n.jsonl", "net.config", "run.config"):
        (here / name).write_bytes((prepared / name).read_bytes())
    name, commands = random.choice(
        (("n.jsonl", (FIT, CHECK)), ("archs.jsonl", (COUNT,)), ("net.config", (("count", "--archs", "net.config"),)),
         ("run.config", (("count", "--archs", "net.config"),)))
    )  # fmt: skip
    what, data = _changed(random, (here / name).read_bytes(), whole=name.endswith("config"))
    (here / name).write_bytes(data)
    return Case(f"{name}: {what}", commands, lambda i, out: _wrong(out))


def _changed(random: Random, data: bytes, *, whole: bool) -> tuple[str, bytes]:
    if random.random() < 0.3:
        return of_bytes(random, data)
    lines = [data] if whole else data.split(b"\n")
    at = random.randrange(len(lines))
    what, changed = of_tree(random, json.loads(lines[at]), HOSTILE, 2)
    lines[at] = changed.text.encode() if isinstance(changed, Raw) else as_json(changed)
    return what, b"\n".join(lines)


def _wrong(output: str) -> str:
    """Counts and milliseconds are positive, and a milliseconds' interval holds them."""
    for line in output.splitlines():
        row = json.loads(line)
        if "madds" in row and not (0 < row["madds"] < 1e15 and 0 < row["params"] < 1e12):
            return f"counts {line}"
        if "low" in row and not 0 <= row["low"] <= row["ms"] <= row["high"] < 1e12:
            return f"no interval: {line}"
    return ""


KIND = Kind("networks", "net.config, architectures, networks", _prepare, _mutate, short=20)
