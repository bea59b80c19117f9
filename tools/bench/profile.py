"""Whether `hwnas profile` tells what others measure, over twenty known classifiers and one model of two inputs.

    python -m tools.bench.profile [--models resnet18,…] [--core 0] [--seconds 3] [--out bench/profile.jsonl]

Each model, with random weights, is measured in turns on one core: by a plain loop of ONNX Runtime in a fresh process
and by OpenVINO's own benchmark_app, then by `profile_model` on both runtimes together, then by the other two again. A
line of JSON for each model and runtime; models that the file has already are not measured again. At the end a table:
ours over theirs, where theirs is the mean of two 5 % quantiles (contention only adds time, and ours has it divided out)
or of two medians, and the layers' sum over the whole. About a minute a model. Run it when nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.onnx.open_model import OpenedModel, open_model
from hwnas.profile.measure import profile_model
from profilers.errors import HwnasError
from profilers.registry import get_profiler
from profilers.timing import plans
from tools.bench.shared import run

SIZE = {"": (1, 3, 224, 224)}
TORCHVISION = (
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "efficientnet_b2", "resnet18",
    "resnet50", "regnet_y_400mf", "regnet_x_1_6gf", "convnext_tiny", "vit_b_16", "swin_t",
)  # fmt: skip
TIMM = (
    "mixnet_s", "mixnet_m", "mobilenetv4_conv_small", "efficientnet_lite0", "resnet26", "regnety_008",
    "convnextv2_atto", "vit_tiny_patch16_224",
)  # fmt: skip
OWN = "captions"
PLAIN = Path(__file__).with_name("plain_onnxruntime.py")
RUNTIMES = ("onnxruntime", "openvino")
PLAN = replace(plans.ENGINE, least_seconds=4, seconds=12)  # of both runtimes together
NO_LAYERS = {"slowdown": math.nan, "sum_over_whole": math.nan}
Row = dict[str, Any]


class Captions(nn.Module):
    """Tokens that attend to an image, as no classifier of the list has it: two inputs, one of integers."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(1000, 96)
        self.image = nn.Sequential(
            nn.Conv2d(3, 48, 7, 4, 3), nn.BatchNorm2d(48), nn.ReLU(), nn.Conv2d(48, 96, 3, 4, 1), nn.ReLU()
        )
        self.look = nn.MultiheadAttention(96, 4, batch_first=True)
        self.head = nn.Linear(96, 1000)

    def forward(self, tokens: Tensor, image: Tensor) -> Tensor:
        """Logits (1, tokens, 1000)."""
        seen = self.image(image).flatten(2).transpose(1, 2)
        words = self.words(tokens)
        logits: Tensor = self.head(words + self.look(words, seen, seen, need_weights=False)[0])
        return logits


def opened(name: str) -> OpenedModel:
    if name == OWN:
        return open_model(Captions(), inputs=(torch.ones(1, 32, dtype=torch.int64), torch.zeros(SIZE[""])))
    package = "torchvision.models" if name in TORCHVISION else "timm.models"
    return open_model(f"python:{package}:{name}", SIZE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join((*TORCHVISION, *TIMM, OWN)))
    parser.add_argument("--core", type=int, default=min(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement by others")
    parser.add_argument("--out", type=Path, default=Path("bench/profile.jsonl"))
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.core})
    torch.set_num_threads(1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    for name in args.models.split(","):
        if all(row["model"] != name for row in done):
            try:
                rows = list(measured(name, args.seconds))
            except HwnasError as error:  # one is not the end of twenty
                print(f"{name}: {error}", file=sys.stderr)
                continue
            with args.out.open("a") as stream:
                stream.writelines(json.dumps(row) + "\n" for row in rows)
            done += rows
            print(json.dumps(rows), flush=True)
    print(table(done))


def measured(name: str, seconds: int) -> Iterator[Row]:
    """A row for each runtime."""
    found = opened(name)
    with tempfile.TemporaryDirectory(prefix="hwnas-bench-") as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(found.model.data)
        theirs = {runtime: [other(runtime, path, seconds)] for runtime in RUNTIMES}
        profiles = profile_model(found, map(get_profiler, RUNTIMES), plan=PLAN)
        for runtime in RUNTIMES:
            theirs[runtime].append(other(runtime, path, seconds))
    for each in profiles:
        value = each.to_json()
        row = {key: value[key] for key in ("engine", "ms", "low", "high", "p90", "clock", "contended_fraction")}
        row |= {
            "layers": len(value["layers"]),
            **(value["tracing"] or NO_LAYERS),
            "unattributed": value["unattributed"],
        }
        row |= {key: [found[key] for found in theirs[each.engine]] for key in ("quick", "median")}
        yield {"model": name, **row, "parity": found.parity, "fingerprint": value["fingerprint"]}


def other(runtime: str, path: Path, seconds: int) -> Mapping[str, float]:
    """The 5 % quantile and the median by somebody else's program, in a fresh process."""
    if runtime == "onnxruntime":
        found: dict[str, float] = json.loads(program([sys.executable, str(PLAIN), str(path), str(seconds)]))
        return found
    app = shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or "benchmark_app"
    command = [app, "-m", str(path), "-d", "CPU", "-infer_precision", "f32", "-t", str(seconds)]
    command += ["-hint", "latency", "-api", "sync", "-latency_percentile"]  # one stream, one thread: there is one core
    return {name: latency(program([*command, share])) for name, share in (("quick", "5"), ("median", "50"))}


def latency(text: str) -> float:
    """The quantile that benchmark_app prints."""
    found = re.search(r"(?:percentile|Median):\s+([\d.]+) ms", text)
    if not found:
        raise SystemExit(f"benchmark_app printed no latency: {text[-500:]}")
    return float(found.group(1))


def program(command: Sequence[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def table(rows: Sequence[Row]) -> str:
    """Ours over theirs, and the layers' sum over the whole; the medians and the worst below."""
    lines = [("model", "engine", "ms", "theirs 5 %", "median", "ours/5 %", "ours/median", "sum/whole", "slower")]
    for row in rows:
        quick, median = np.mean(row["quick"]), np.mean(row["median"])
        numbers = [row["ms"], quick, median, row["ms"] / quick, row["ms"] / median]
        numbers += [row["sum_over_whole"], row["slowdown"]]
        lines.append((row["model"], row["engine"], *(f"{x:.4g}" for x in numbers)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*text, *summary(rows)])


def summary(rows: Sequence[Row]) -> Iterator[str]:
    for runtime in RUNTIMES:
        own = [row for row in rows if row["engine"] == runtime]
        for key in ("quick", "median") if own else ():
            ratios = np.array([row["ms"] / np.mean(row[key]) for row in own])
            worst = int(np.abs(np.log(ratios)).argmax())
            yield (
                f"{runtime}: ours over theirs ({key}): median ratio {np.median(ratios):.3f}, worst {ratios[worst]:.3f} "
                f"({own[worst]['model']}), {len(own)} models"
            )
        sums = [row["sum_over_whole"] for row in own if math.isfinite(row["sum_over_whole"])]
        if sums:
            ends = f"{min(sums):.3f} to {max(sums):.3f}"
            yield f"{runtime}: layers' sum over the whole: median {np.median(sums):.3f}, {ends}"


if __name__ == "__main__":
    run(main)
