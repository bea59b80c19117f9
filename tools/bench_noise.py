"""How far two loadings of the same networks differ by the way they are timed, in one run on this machine.

    python tools/bench_noise.py [--engine onnxruntime] [--precision fp32] [--space mbv3] [--rounds 20] [--loadings 3]

The ways take turns, so that no way has the quieter minutes. `as measured` is the low quantile of the blocks as they
are, `level, low` of the blocks with the machine's level divided out (`profilers.level`), `level, median` the median of
these, as tables have it (`lut.bench`); all of the same blocks, timed at once (patience 0) and with waiting for quiet
moments (`profilers.quiet`). Estimates are relative to their mean, as the sentinels make those of tables; the figures
are mean differences over all pairs of loadings. Prints a line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time

import numpy as np

from hwnas.onnx_writer import write_onnx
from hwnas.space import get_space
from lut.bench import TOGETHER, open_bench
from profilers.base import Options, TimingPlan
from profilers.registry import get_profiler
from profilers.timing import summarise

PATIENCE = (0.0, TimingPlan().patience)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--space", default="mbv3")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--loadings", type=int, default=3)
    args = parser.parse_args()
    space = get_space(args.space)
    genes = space.sample(TOGETHER, np.random.default_rng(0))
    found: dict[str, list[np.ndarray]] = {}
    seconds = dict.fromkeys(PATIENCE, 0.0)
    with open_bench(space, write_onnx, get_profiler(args.engine), Options(precision=args.precision)) as bench:
        for seed, patience in itertools.product(range(args.loadings), PATIENCE):
            started = time.monotonic()
            plan = TimingPlan(min_rounds=args.rounds, max_rounds=args.rounds, warmup_runs=2, patience=patience)
            timed = bench.networks(genes, plan, seed)
            seconds[patience] += time.monotonic() - started
            samples = [timed.samples[str(i)] for i in range(TOGETHER)]
            plain = [summarise(s.blocks, np.ones(s.rounds), plan) for s in samples]
            low = [summarise(s.blocks, s.drift, plan) for s in samples]
            for name, some in (("as measured", plain), ("level, low", low), ("level, median", samples)):
                logs = np.log([s.ms for s in some])
                found.setdefault(f"{name}, patience {patience:g}", []).append(logs - logs.mean())
    result = {name: apart(estimates) for name, estimates in found.items()}
    print(json.dumps({**result, "seconds": {f"{k:g}": round(v, 1) for k, v in seconds.items()}}))


def apart(estimates: list[np.ndarray]) -> float:
    """Mean relative difference of two loadings' estimates."""
    pairs = itertools.combinations(estimates, 2)
    return round(float(np.mean([np.abs(np.expm1(a - b)).mean() for a, b in pairs])), 5)


if __name__ == "__main__":
    main()
