"""torch eager, compiled and compiled ahead of time on this CPU, and what becomes of the packages; about five minutes.

    python -m tools.bench.torch_modes [--alone PYTHON] [--networks tiny,small,mbv3] [--json FILE]

Of three networks with random weights: the engine of format torch is exported, its outputs are compared with torch's,
and its run.py classifies a picture in an environment with torch, numpy and Pillow alone (`--alone`, its interpreter),
where no compiler is found either; ONNX Runtime's answers to the same picture are beside it. Then all ways of running
the network are timed in turns. A package's weights are in oneDNN's own layout, which torch.compile leaves as they are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hwnas.data.picture import prepare
from hwnas.export import datasheet
from hwnas.export.item import ExportItem
from hwnas.export.pipeline import Request, export
from hwnas.export.runtime_costs import CostPlan
from hwnas.space import get_space
from profilers.base import Options, Session, TimingPlan
from profilers.registry import get_profiler
from profilers.timing import plans
from profilers.timing.measurement import measuring
from tools.bench.ship import random_item, say

NETWORKS = {"tiny": 0, "small": 0, "mbv3": 0}  # of each space the smallest, since compiling takes its time
PLAN = plans.ENGINE
BRIEF = TimingPlan(
    min_rounds=5, max_rounds=10, warmup_runs=2, warmup_max_runs=3
)  # of the export, whose time is not used
TOLERANCE = 0.1  # % of a class, which run.py prints with one decimal
WAYS = {"eager": "eager", "compile": "torch.compile", "aot": "package"}


def network(space: str) -> ExportItem:
    """The smallest of a space at its smallest resolution."""
    found = get_space(space)
    return random_item(found, found.extremes()[NETWORKS[space]])


def answers(folder: Path, picture: Path) -> list[tuple[str, float]]:
    """ONNX Runtime's five likeliest classes of a picture, with their shares in %."""
    how = datasheet.read(folder)["preprocessing"]
    with get_profiler("onnxruntime").load(folder / "model.onnx") as session:
        logits = session.infer(prepare(str(picture), how))[0].astype(np.float64)
    shares = np.exp(logits - np.logaddexp.reduce(logits))
    return [(how["labels"][i], 100 * float(shares[i])) for i in shares.argsort()[::-1][:5]]


def run_alone(python: str, folder: Path, picture: Path) -> str:
    """Whether run.py, in an environment of its own without a compiler, gives the same answers; or what it says."""
    environment = {"PATH": "/nonexistent", "HOME": str(folder), "TMPDIR": tempfile.gettempdir()}
    command = [python, "-I", str(folder / "run.py"), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        return (done.stderr.strip() or "it fails").splitlines()[-1]
    rows = [line.removesuffix(" %").rpartition(": ") for line in done.stdout.splitlines()]
    expected = dict(answers(folder, picture))
    off = [abs(float(share) - expected.get(label, 1e9)) for label, _, share in rows]
    return "same answers" if len(rows) == 5 and max(off) <= TOLERANCE else f"other answers: {done.stdout.split()}"


def times(item: ExportItem, folder: Path) -> dict[str, dict[str, float]]:
    """Milliseconds with their interval of each way, in turns; ONNX Runtime beside them."""
    torch, model = get_profiler("torch"), (folder / "model.onnx").read_bytes()
    with ExitStack() as stack, measuring(Options()) as bench:
        sessions: dict[str, Session] = {
            WAYS[level]: stack.enter_context(torch.load(model, Options(optimization=level)))
            for level in ("eager", "compile")
        }
        sessions[WAYS["aot"]] = stack.enter_context(torch.open(folder / "model.pt2", Options()))
        sessions["ONNX Runtime"] = stack.enter_context(get_profiler("onnxruntime").load(model))
        group = bench.time(sessions, PLAN)
    return {name: {"ms": m.ms, "low": m.low, "high": m.high} for name, m in group.measured.items()}


def bench(space: str, alone: str, folder: Path) -> dict[str, Any]:
    """Everything about one network."""
    item = network(space)
    picture = folder / "picture.png"
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    Image.fromarray(noise).resize((224, 224)).save(picture)
    sheet = export({"": item}, Request("torch", plan=BRIEF, costs=CostPlan.QUICK), folder / "engine")[""]
    made = json.loads((folder / "engine/model.json").read_text())
    return {
        "network": f"{space}, {item.arch.r} px, {sheet['objectives']['madds']['value'] / 1e6:.1f} M MAdds",
        "parity": sheet["parity"]["seeded noise"]["max_rel"],
        "build_seconds": made["build_seconds"],
        "run_py": run_alone(alone, folder / "engine", picture),
        "times": times(item, folder / "engine"),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown."""
    ways = [*WAYS.values(), "ONNX Runtime"]
    head = ["network", "parity", "run.py alone", "compiling, s", *(f"{way}, ms" for way in ways)]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        found = [row["times"].get(way) for way in ways]
        shown = [f"{t['ms']:.3f} ({t['low']:.3f} to {t['high']:.3f})" if t else "not timed" for t in found]
        lines.append([row["network"], f"{row['parity']:.1e}", row["run_py"], f"{row['build_seconds']:.0f}", *shown])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """The table, after a line of JSON for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alone", type=Path, default=Path(sys.executable), help="of an environment with torch alone")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--json", type=Path)
    args, rows = parser.parse_args(), []
    for space in args.networks.split(","):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(bench(space, str(args.alone.absolute()), Path(folder)))
        say(**rows[-1])
    print(table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
