"""Whole networks measured end to end on this machine, and what is needed to measure them on another.

A bundle is a folder with the networks as ONNX, their list, and a script (`lut.build.standalone`, with the timing loop
beside it) that needs Python, numpy and the runtime only; what the script writes is what `hwnas lut fit` reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import profilers
from lut.build.bench import TOGETHER, open_bench, require, written
from lut.build.control_drift import drifts
from lut.protocols import Space, Writer
from profilers.base import Options, Profiler, TimingPlan
from profilers.errors import BadInput
from profilers.files import write_bytes, write_text
from profilers.progress import track
from profilers.timing import plans

SCRIPT, LIST, MODELS = "measure.py", "networks.jsonl", "models"
LOOP = (
    "__init__", "base", "errors", "timing/__init__", "timing/caches", "timing/clock", "timing/contention",
    "timing/drift", "timing/estimator", "timing/loop", "timing/plain_loop", "timing/plans", "timing/settling",
)  # fmt: skip
"""Modules of `profilers` that the script needs: numpy and Python 3.8 are enough for them."""


@dataclass(frozen=True)
class Timing:
    """One network: its architecture, and milliseconds with their 95 % interval; `clock` is the timing loop's."""

    arch: Any
    ms: float
    low: float
    high: float
    clock: str


def measure(
    space: Space, archs: Sequence[Any], to_onnx: Writer, profiler: Profiler, options: Options | None = None,
    plan: TimingPlan = plans.COMPARE,
) -> tuple[list[Timing], list[str]]:  # fmt: skip
    """Measure networks against each other, the machine's drift divided out.

    Returns:
        Timings, in order, and a line for each network that could not be timed.

    Raises:
        BadInput: no network, or options that the runtime does not have.
        EngineUnavailable: the runtime does not work here.
        MeasurementFailed: most networks of a group could not be timed.
    """
    if not archs:
        raise BadInput("no network to measure", "one or more")
    options, genes = options or Options(), space.encode(archs)
    groups = [slice(i, i + TOGETHER) for i in range(0, len(archs), TOGETHER)]
    with (
        track(len(groups), "measuring") as bar,
        open_bench(space, to_onnx, profiler, options, bar) as bench,
    ):
        timed = [bench.networks(genes[rows], plan, i) for i, rows in enumerate(groups)]
    for group in timed:
        require(group, "whole networks")
    found, failed = [], []
    for rows, group, f in zip(groups, timed, drifts([t.sentinels for t in timed]).tolist(), strict=True):
        for i, s in group.samples.items():
            arch = archs[rows.start + int(i)]
            found.append(Timing(arch, s.ms / f, s.low / f, s.high / f, s.clock))
        failed += [f"network {rows.start + int(i) + 1}: {why}" for i, why in group.failed.items() if i.isdigit()]
    return found, failed


def write_bundle(
    folder: Path, space: Space, archs: Sequence[Any], to_onnx: Writer, profiler: Profiler, options: Options
) -> list[Path]:
    """The networks as ONNX, their list and the script; nothing is measured. Returns the files."""
    files, lines = [], []
    for i, arch in enumerate(archs):
        name = f"{MODELS}/{i:03d}.onnx"
        files.append(folder / name)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        write_bytes(files[-1], written(to_onnx, space.layers(arch), profiler, options))
        about = {"space": space.name, "classes": space.classes, "batch": options.batch, "precision": options.precision}
        lines.append(json.dumps({"arch": arch.to_json(), "model": name, **about}) + "\n")
    write_text(folder / LIST, "".join(lines))
    sources = {folder / SCRIPT: Path(__file__).with_name("standalone.py")}
    package = Path(profilers.__file__).parent
    sources |= {folder / "profilers" / f"{name}.py": package / f"{name}.py" for name in LOOP}
    for path, source in sources.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, source.read_text(encoding="utf-8"))
    return [*files, folder / LIST, *sources]
