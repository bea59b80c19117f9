"""Whether a prediction holds for what is shipped, seen from outside: the same networks by four harnesses.

    python -m tools.bench.truth [--engines onnxruntime,openvino] [--resolutions 128,160,192,224] [--each 6] [--out DIR]

For each engine a table is built (or taken from DIR/ENGINE.json, where it is), then the smallest, the largest and random
networks of each resolution are exported alone. Each is measured by `export`, by `hwnas validate` in its own process, by
a plain loop of the runtime's API in a fresh process, and for OpenVINO by its own benchmark_app, one after the other. A
line of JSON for each network, and one of figures: the mean absolute difference of each pair, the share of `validate`'s
within the predicted interval, and the largest error. Run it when nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import lut
from hwnas.compare import known
from hwnas.export.datasheet import RANDOM
from hwnas.export.item import ExportItem, counted
from hwnas.export.pipeline import Request, export
from hwnas.export.runtime_costs import CostPlan
from hwnas.nets import Network
from hwnas.space import Architecture, SearchSpace, get_space
from profilers.timing import plain_loop
from tools.bench.shared import run

SECONDS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="onnxruntime,openvino")
    parser.add_argument("--resolutions", default="128,160,192,224")
    parser.add_argument("--each", type=int, default=6, help="networks of a resolution: two ends, the rest random")
    parser.add_argument("--out", type=Path, default=Path("bench/truth"))
    args = parser.parse_args()
    for engine in args.engines.split(","):
        path = args.out / f"{engine}.json"
        started = time.monotonic()
        if not path.is_file():
            command = ["hwnas", "lut", "build", "--space", "mbv3", "--engine", engine]
            program([*command, "--resolutions", args.resolutions, "--out", str(path)])
        seconds = time.monotonic() - started
        rows = list(compare(engine, lut.load(path), args.resolutions, args.each))
        print(json.dumps({"engine": engine, "build_seconds": round(seconds, 1), **figures(rows)}), flush=True)


def compare(engine: str, table: lut.LatencyTable, resolutions: str, each: int) -> Iterator[dict[str, Any]]:
    space = get_space("mbv3", [int(r) for r in resolutions.split(",")])
    for arch in networks(space, each):
        with tempfile.TemporaryDirectory() as folder:
            row = {"engine": engine, "r": arch.r, "id": arch.id, **measured(engine, table, space, arch, Path(folder))}
        print(json.dumps(row), flush=True)
        yield row


def networks(space: SearchSpace, each: int) -> Iterator[Architecture]:
    for r in space.resolutions:
        of_r = get_space("mbv3", [r])
        yield from of_r.extremes()
        yield from of_r.decode(of_r.sample(each - 2, np.random.default_rng(r)))


def measured(
    engine: str, table: lut.LatencyTable, space: SearchSpace, arch: Architecture, folder: Path
) -> dict[str, Any]:
    """Milliseconds by harness."""
    network = known.calibrate_batchnorm(
        Network(space.layers(arch), arch), arch.r, space.in_channels
    )  # activations of usual size
    item = ExportItem(space, arch, network, "random", counted(space, arch), [table], warnings=(RANDOM,))
    sheet = export({"": item}, Request(engine, costs=CostPlan.QUICK), folder / "engine")[""]
    found = json.loads(program(["hwnas", "validate", "--quick", str(folder / "engine")]))
    model = folder / "engine/model.onnx"
    loop = json.loads(program([sys.executable, plain_loop.__file__, engine, str(model), "--seconds", str(SECONDS)]))
    latency = sheet["latency"]
    row = {
        "predicted": latency["predicted"]["value"],
        "low": found["low"],
        "high": found["high"],
        "export": latency["measured"]["value"],
        "validate": found["measured_ms"],
        "within_interval": found["within_interval"],
        "plain": loop["quick_ms"],
        "plain_median": loop["median_ms"],
        "interrupted": latency["interrupted"]["measured"]["value"],
        "contended_fraction": found["timing"]["contended_fraction"],
    }
    if engine != "openvino":
        return row
    return row | benchmark_app(model)


def benchmark_app(model: Path) -> dict[str, float]:
    """The 5 % quantile and the mean of the latency, by OpenVINO's own tool."""
    program_path = shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or "benchmark_app"
    options = ["-m", str(model), "-d", "CPU", "-hint", "none", "-api", "sync", "-nstreams", "1", "-nthreads", "1"]
    more = ["-infer_precision", "f32", "-t", str(SECONDS), "-latency_percentile", "5"]
    text = program([program_path, *options, *more])
    quick, mean = (re.search(rf"{name}:\s+([\d.]+) ms", text) for name in ("5 percentile", "Average"))
    if not quick or not mean:
        raise SystemExit(f"benchmark_app printed no latency: {text[-500:]}")
    return {"benchmark_app": float(quick.group(1)), "benchmark_app_mean": float(mean.group(1))}


def program(command: list[str]) -> str:
    """Its standard output; what it says on the other goes to the terminal."""
    if command[0] == "hwnas":
        command = [sys.executable, "-m", *command]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = [
        n
        for n in ("predicted", "export", "validate", "plain", "plain_median", "benchmark_app", "benchmark_app_mean")
        if n in rows[0]
    ]
    values = {name: np.array([row[name] for row in rows]) for name in names}
    apart = {
        f"{a} / {b}": {
            "mape": float(np.abs(values[a] / values[b] - 1).mean()),
            "bias": float((values[a] / values[b]).mean() - 1),
        }
        for a, b in combinations(names, 2)
    }
    error = np.abs(values["predicted"] / values["validate"] - 1)
    return {
        "networks": len(rows),
        "pairs": apart,
        "within_interval": float(np.mean([r["within_interval"] for r in rows])),
        "worst": float(error.max()),
        "within_10": float((error <= 0.1).mean()),
        "interval": float(np.mean([r["high"] / r["predicted"] - 1 for r in rows])),
        "contended_fraction": float(np.mean([r["contended_fraction"] for r in rows])),
    }


if __name__ == "__main__":
    run(main)
