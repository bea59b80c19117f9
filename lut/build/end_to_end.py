"""Networks measured end to end on this machine, and what is needed to measure them on another.

A bundle is a folder with the networks as ONNX, their list, and a script (`lut.build.standalone`, with the timing loop
beside it) that needs Python, numpy and the runtime only; what the script writes is what `hwnas lut fit` reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import profilers
from lut.build.bench import TOGETHER, Network, Workbench, open_bench
from profilers.base import TimingPlan
from profilers.errors import BadInput
from profilers.files import write_bytes, write_text
from profilers.interruption import leaving
from profilers.progress import track
from profilers.timing import plans
from profilers.timing.measurement import MeasuredGroup, at_one_speed

SCRIPT, LIST, MODELS = "measure.py", "networks.jsonl", "models"
LOOP = (
    "__init__", "base", "errors", "printable", "session", "telemetry",
    "timing/__init__", "timing/blocks", "timing/caches", "timing/clock", "timing/conditions", "timing/contention",
    "timing/drift", "timing/estimator", "timing/loop", "timing/pinning", "timing/place", "timing/plain_loop",
    "timing/plans", "timing/samples", "timing/sensors", "timing/settling",
)  # fmt: skip
"""Modules of `profilers` that the script needs: numpy and Python 3.8 are enough for them."""


def measure(workbench: Workbench, archs: Sequence[Any], plan: TimingPlan = plans.COMPARE) -> MeasuredGroup:
    """Measure networks against each other, in groups, the machine's drift divided out; all results by network's id.

    Raises:
        BadInput: no network, or options that the runtime does not have.
        EngineUnavailable: the runtime does not work here.
        MeasurementFailed: most networks of a group could not be timed.
    """
    if not archs:
        raise BadInput("no network to measure", "one or more")
    networks = list({arch.id: Network(arch) for arch in archs}.values())
    starts = range(0, len(networks), TOGETHER)
    with leaving(str), track(len(starts), "measuring") as bar, open_bench(workbench, bar) as bench:
        groups = [bench.networks(networks[i : i + TOGETHER], plan, seed) for seed, i in enumerate(starts)]
    for group in groups:
        group.require("networks")
    groups = at_one_speed(groups)
    return MeasuredGroup(
        {name: found for group in groups for name, found in group.measured.items()},
        {name: reason for group in groups for name, reason in group.failed.items()},
    )


def write_bundle(folder: Path, workbench: Workbench, archs: Sequence[Any]) -> list[Path]:
    """The networks as ONNX, their list and the script; nothing is measured. Returns the files."""
    space, options = workbench.space, workbench.options
    files, lines = [], []
    for i, arch in enumerate(archs):
        name = f"{MODELS}/{i:03d}.onnx"
        files.append(folder / name)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        write_bytes(files[-1], workbench.model(space.layers(arch)))
        about = {"space": space.name, "classes": space.classes, "batch": options.batch, "precision": options.precision}
        lines.append(json.dumps({"arch": arch.to_json(), "model": name, **about}) + "\n")
    write_text(folder / LIST, "".join(lines))
    return [*files, folder / LIST, *_write_script(folder)]


def _write_script(folder: Path) -> list[Path]:
    """The script and the modules that it needs."""
    package = Path(profilers.__file__).parent
    sources = {folder / SCRIPT: Path(__file__).with_name("standalone.py")}
    sources |= {folder / "profilers" / f"{name}.py": package / f"{name}.py" for name in LOOP}
    for path, source in sources.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, source.read_text(encoding="utf-8"))
    return list(sources)
