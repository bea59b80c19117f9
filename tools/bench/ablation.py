"""What each mechanism against noise is worth: the same recorded builds and verifications with and without it.

    python -m tools.bench.ablation [--engines onnxruntime,openvino] [--builds 3] [--archs 60]
                                   [--resolutions 160,192,224] [--budget 240] [--out bench/ablation]

Builds tables and verifies them while every block's raw times are recorded, then makes tables and figures again from the
records with one mechanism left out, by the product's own code: all rows are of the same blocks. What is recorded is
kept, so that another row costs no measurement. Prints a Markdown table for each engine; docs/measurement.md has it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from hwnas.onnx.writer import write_onnx
from hwnas.space import SearchSpace, get_space, parse_resolutions
from lut.build import assembly, records
from lut.build.bench import N_CONTROLS, TOGETHER, Workbench
from lut.estimate import cross_validation
from profilers.base import Options
from profilers.errors import MeasurementFailed
from profilers.registry import get_profiler
from profilers.timing import control_drift, drift, loop, measurement
from profilers.timing.core_groups import ONE_GROUP, core_groups, load_in_parallel
from profilers.timing.pinning import allowed_cores
from tools.bench.recording import calls_of, record, replay

Patch = tuple[Any, str, Any]


class Mechanism(NamedTuple):
    """How to do without it: changes of the timing plan, and what of the product is replaced."""

    changes: Mapping[str, Any] = {}
    patches: Sequence[Patch] = ()


def _no_drift(times: np.ndarray[Any, Any], _: Any) -> tuple[np.ndarray[Any, Any], float]:
    return np.ones(times.shape), 0.0


def _no_controls(controls: Sequence[Sequence[float]], *_: Any) -> np.ndarray[Any, Any]:
    return np.ones(len(controls))


MECHANISMS = {
    "all mechanisms": Mechanism(),
    "no drift division within a call": Mechanism(patches=[(loop, "drift_of_blocks", _no_drift)]),
    "median speed in place of quick moments": Mechanism(
        patches=[(drift, "FAST", 0.5), (control_drift, "FAST_GROUPS", 0.5)]
    ),
    "no rejection": Mechanism({"max_wall_over_cpu": 1e9}),
    "no CPU clock": Mechanism({"cpu_time_when_busy": False}),
    "no control models": Mechanism(patches=[(records, "drifts", _no_controls), (measurement, "drifts", _no_controls)]),
    "no between-session term": Mechanism(patches=[(cross_validation, "BETWEEN_SESSION_SD", 0.0)]),
    "no spread of speed in the interval": Mechanism(patches=[(assembly, "speed_spread", lambda _: 0.0)]),
    "neither of the two": Mechanism(
        patches=[(cross_validation, "BETWEEN_SESSION_SD", 0.0), (assembly, "speed_spread", lambda _: 0.0)]
    ),
    "lower quartile in place of the median": Mechanism({"quantile": 0.25}),
}
COLUMNS = {
    "mape": "MAPE",
    "noise_floor_mape": "measured twice",
    "mape_as_run": "MAPE as run",
    "coverage": "coverage",
    "coverage_as_run": "coverage as run",
    "interval": "half-width",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="onnxruntime,openvino")
    parser.add_argument("--builds", type=int, default=3)
    parser.add_argument("--archs", type=int, default=60, help="networks of each verification")
    parser.add_argument("--resolutions", default="160,192,224")
    parser.add_argument("--budget", type=float, default=240.0, help="soft limit of a build, seconds")
    parser.add_argument("--out", type=Path, default=Path("bench/ablation"))
    parser.add_argument("--no-record", action="store_true", help="only what is recorded already")
    args = parser.parse_args()
    space = get_space("mbv3", parse_resolutions(args.resolutions))
    engines = args.engines.split(",")
    for seed in range(1, args.builds + 1):
        for engine in engines:
            if not args.no_record:
                record(args.out / f"{engine}-{seed}", engine, space, args.archs, seed, args.budget)
    for engine in engines:
        folders = [f for f in sorted(args.out.glob(f"{engine}-*")) if (f / "figures.json").exists()]
        print("\n".join(table(engine, folders)), flush=True)
        print(f"control models: {control_share(folders):.1%} of the timed seconds of networks end to end")
        if not args.no_record:
            print(loading(engine, space))


def table(engine: str, folders: Sequence[Path]) -> list[str]:
    """Markdown: a row for each mechanism, the mean over the records of each figure."""
    lines = [
        f"\n{engine}, {len(folders)} builds",
        f"| | {' | '.join(COLUMNS.values())} |",
        f"|---|{'---|' * len(COLUMNS)}",
    ]
    for name, mechanism in MECHANISMS.items():
        figures = [found for folder in folders if (found := without(mechanism, folder))]
        lacking = len(folders) - len(figures)
        cells = [f"{100 * np.mean([f[c] for f in figures]):.2f} %" if figures else "–" for c in COLUMNS]
        lines.append(f"| {name}{f' (no table in {lacking})' * bool(lacking)} | {' | '.join(cells)} |")
    return lines


def without(mechanism: Mechanism, folder: Path) -> dict[str, Any]:
    """The figures of a record with a mechanism left out; empty where layers or networks then could not be timed."""
    with ExitStack() as stack:
        for place, name, value in mechanism.patches:
            stack.enter_context(patch.object(place, name, value))
        try:
            return replay(folder, mechanism.changes)
        except MeasurementFailed:
            return {}


def control_share(folders: Sequence[Path]) -> float:
    """What the control models cost, of the seconds in which groups of networks ran."""
    calls = [c for f in folders for c in calls_of(f, "build") if not c.nodes]
    controls = sum(c.seconds([n for n in c.names if n.startswith(measurement.CONTROL)]) for c in calls)
    return controls / sum(c.seconds(c.names) for c in calls)


def loading(engine: str, space: SearchSpace) -> str:
    """Seconds to write and load a group of networks, on one group of cores and on all, by turns."""
    profiler, rng = get_profiler(engine), np.random.default_rng(0)
    if not profiler.supports_parallel_load:
        return f"parallel loading: {engine} does not support it"
    workbench = Workbench(space, write_onnx, profiler)
    archs = space.decode(space.sample(TOGETHER + N_CONTROLS, rng))
    found: dict[str, list[float]] = {"one core": [], "all cores": []}
    for _ in range(3):
        for name, groups in (("one core", ONE_GROUP), ("all cores", core_groups(allowed_cores(), Options().threads))):
            started = monotonic()
            loads = {a.id: (lambda a=a: workbench.session(space.layers(a))) for a in archs}
            for session in load_in_parallel(loads, groups).values():
                session.close()
            found[name].append(monotonic() - started)
    return "parallel loading: " + ", ".join(f"{name} {np.median(s):.1f} s" for name, s in found.items())


if __name__ == "__main__":
    main()
