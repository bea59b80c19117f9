"""How far two loadings of the same networks differ by the way they are timed, in one run on this machine.

    python -m tools.bench.noise [--engine onnxruntime] [--precision fp32] [--space mbv3] [--rounds 20] [--loadings 3]

`as measured` takes the blocks as they are, the other ways divide out the machine's drift (`profilers.timing.drift`);
each by the median, which is the product's estimator with the drift divided out, and by the lower quartile. All are of
the same blocks. Estimates are relative to their mean, as the control models make those of tables; the figures are mean
differences over all pairs of loadings, and under "level" the standard deviation of that mean. Prints a line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np

from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut.build.bench import TOGETHER, Network, Workbench, open_bench
from profilers.base import Options
from profilers.registry import get_profiler
from profilers.timing import plans
from profilers.timing.estimator import summarise
from tools.bench.shared import run

WAYS = {
    "as measured": (False, 0.5),
    "as measured, low": (False, 0.25),
    "drift": (True, 0.5),
    "drift, low": (True, 0.25),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--space", default="mbv3")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--loadings", type=int, default=3)
    args = parser.parse_args()
    space = get_space(args.space)
    networks = [Network(arch) for arch in space.decode(space.sample(TOGETHER, np.random.default_rng(0)))]
    found: dict[str, list[np.ndarray]] = {}
    level: dict[str, list[float]] = {}
    plan = replace(plans.NETWORKS, min_rounds=args.rounds, max_rounds=args.rounds)
    started = time.monotonic()
    options = Options(precision=args.precision)
    with open_bench(Workbench(space, write_onnx, get_profiler(args.engine), options)) as bench:
        for seed in range(args.loadings):
            group = bench.networks(networks, plan, seed)
            samples = [s for network in networks if (s := group.measured[network.id].samples)]
            for name, (drift, quantile) in WAYS.items():
                way = replace(plan, quantile=quantile)
                logs = np.log([summarise(s.blocks, s.drift if drift else np.ones(s.rounds), way).ms for s in samples])
                found.setdefault(name, []).append(logs - logs.mean())
                level.setdefault(name, []).append(float(logs.mean()))
    result: dict[str, Any] = {name: apart(estimates) for name, estimates in found.items()}
    result["level"] = {name: round(float(np.std(means)), 5) for name, means in level.items()}
    print(json.dumps({**result, "seconds": round(time.monotonic() - started, 1)}))


def apart(estimates: list[np.ndarray]) -> float:
    """Mean relative difference of two loadings' estimates."""
    pairs = itertools.combinations(estimates, 2)
    return round(float(np.mean([np.abs(np.expm1(a - b)).mean() for a, b in pairs])), 5)


if __name__ == "__main__":
    run(main)
