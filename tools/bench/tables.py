"""Ways to make a latency table, side by side in one run: predicted against measured networks, for each CPU runtime.

    python -m tools.bench.tables [--space mbv3] [--resolutions 192:256:32] [--archs 60] [--seed 0]
                                 [--engines onnxruntime,openvino,openvino:bf16] [--out bench/lut.json]

Without --engines: every CPU runtime that is here, in each precision that the CPU computes in (int8 with --int8). Prints
a table as in docs/measurement.md for each and writes all figures as JSON. The measurements take turns, resolution by
resolution, so that no way has the quieter minutes; none of them has seen the networks that it is compared on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.onnx.writer import write_onnx
from hwnas.space import SearchSpace, get_space, parse_resolutions
from lut import LatencyTable
from lut.build.assembly import assemble
from lut.build.bench import TOGETHER, Bench, Workbench, open_bench
from lut.build.checkpoint import Checkpoint
from lut.build.in_context import InContext
from lut.build.isolated import Isolated
from lut.build.pipeline import time_networks
from lut.build.records import MeasurementBatch, aggregate
from lut.verify import compare, measure
from profilers.base import Options, Profiler
from profilers.errors import HwnasError
from profilers.files import write_json
from profilers.registry import PROFILERS, get_profiler
from profilers.timing import plans
from profilers.timing.fingerprint import fingerprint
from tools.bench.shared import run

NETWORK_GROUPS = 4
COLD = replace(plans.LAYERS, runs_per_block=1, untimed_runs=0, block_ms=0)  # one run a round
COLUMNS = ("mape", "bias", "within_5", "within_10", "kendall_tau")
Batches = dict[str, list[MeasurementBatch]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="mbv3")
    parser.add_argument("--resolutions", default="192:256:32", help="FIRST:LAST:STEP or a list")
    parser.add_argument("--engines", default="", help="names, each with :PRECISION if not fp32")
    parser.add_argument("--int8", action="store_true", help="int8 too, where no --engines are named")
    parser.add_argument("--archs", type=int, default=60, help="networks to compare on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("bench/lut.json"))
    args = parser.parse_args()
    space = get_space(args.space, parse_resolutions(args.resolutions))
    asked = [tuple((name + ":fp32").split(":")[:2]) for name in args.engines.split(",") if name] or here(args.int8)
    found: dict[str, Any] = {}
    for engine, precision in asked:
        name = f"{engine} {precision}"
        try:
            found[name] = bench(space, get_profiler(engine), Options(precision=precision), args.archs, args.seed)
        except HwnasError as error:
            found[name] = {"error": str(error)}
        print("\n".join(lines(name, found[name])), flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(args.out, {"space": space.name, "resolutions": list(space.resolutions), "engines": found})


def here(int8: bool) -> list[tuple[str, ...]]:
    """(engine, precision) of the CPU runtimes that work on this machine."""
    runtimes = [p() for p in PROFILERS.values() if p.device == "cpu"]
    return [
        (p.name, precision)
        for p in runtimes
        if p.status().available
        for precision in p.supported_precisions()
        if int8 or precision != "int8"
    ]


def bench(space: SearchSpace, profiler: Profiler, options: Options, archs: int, seed: int) -> dict[str, Any]:
    """Figures by way, with the noise floor and what was measured on."""
    workbench = Workbench(space, write_onnx, profiler, options)
    with open_bench(workbench) as place:
        batches = take_turns(place, space, seed)
    tables = dict(make_tables(space, profiler, options, batches))
    measured = measure(tables["in context, reconciled"], workbench, archs, seed, plans.VERIFY)
    ways = {name: compare(t.bind(space).predict(measured.genes), measured) for name, t in tables.items()}
    floor = next(iter(ways.values()))
    seconds = {way: sum(b.seconds for b in some) for way, some in batches.items()}
    return {
        "ways": ways,
        "noise_floor": {c: floor.get(f"noise_floor_{c}") for c in COLUMNS},
        "seconds": seconds,
        "fingerprint": fingerprint(profiler, options).to_json(),
        "batches": {way: [b.to_json() for b in some] for way, some in batches.items()},
    }


def take_turns(place: Bench, space: SearchSpace, seed: int) -> Batches:
    """Each resolution measured in every way, and whole networks among them, as `hwnas lut build` does."""
    batches: Batches = {"hot": [], "cold": [], "context": [], "networks": []}
    genes = space.sample(NETWORK_GROUPS * TOGETHER, np.random.default_rng([seed, 1]))
    groups = np.array_split(np.arange(NETWORK_GROUPS), len(space.resolutions))
    for i, (pixels, some) in enumerate(zip(space.resolutions, groups, strict=True)):
        batches["context"].append(InContext().measure(place, pixels, seed + i, earlier=batches["context"]))
        batches["hot"].append(Isolated().measure(place, pixels, seed + i))
        batches["cold"].append(Isolated().measure(place, pixels, seed + i, COLD))
        for group in some.tolist():
            rows = genes[group * TOGETHER : (group + 1) * TOGETHER]
            batches["networks"].append(time_networks(place, rows, f"networks {group + 1}", seed + group))
    return batches


def make_tables(
    space: SearchSpace, profiler: Profiler, options: Options, batches: Batches
) -> Iterator[tuple[str, LatencyTable]]:
    """Tables by way, from the plain sums to what `hwnas lut build` writes."""
    for way, name in (("hot", "each layer alone, hot"), ("cold", "each layer alone, cold"), ("context", "in context")):
        some = batches[way] + batches["networks"]
        method = "in-context" if way == "context" else "isolated"
        done = Checkpoint(Path(), {}, fingerprint(profiler, options), some)
        built = assemble(space, options, {}, done, method)
        yield f"{name}, summed", replace(built, entries=aggregate(some), calibration=None)
        if way == "context":
            yield f"{name}, reconciled", built
        else:
            yield f"{name}, calibrated", built


def lines(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    """The table of one runtime as Markdown."""
    yield f"\n{name}"
    if "error" in found:
        yield found["error"]
        return
    width = max(len(way) for way in found["ways"])
    yield f"| {'how the table is made':{width}} | MAPE | bias | ±5 % | ±10 % | τ |"
    yield f"|{'-' * (width + 2)}|---|---|---|---|---|"
    rows = [*found["ways"].items(), ("noise floor: measured twice", found["noise_floor"])]
    for way, figures in rows:
        yield f"| {way:{width}} | {' | '.join(cell(c, figures.get(c)) for c in COLUMNS)} |"
    yield f"seconds: {json.dumps({k: round(v) for k, v in found['seconds'].items()})}"


def cell(column: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if column in ("mape", "bias") else f"{value:.3f}"


if __name__ == "__main__":
    run(main)
