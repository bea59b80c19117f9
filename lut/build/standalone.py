"""Measures the networks of a bundle on the machine that it lies on; needs Python 3.8, numpy and the runtime, no more.

    python measure.py [--engine onnxruntime|onnxruntime-cuda|openvino|trtexec] [--threads 1] [--precision fp32]

Writes measured.jsonl, for `hwnas lut fit --networks measured.jsonl`. The networks are timed against each other by the
same loop as tables (`profilers.timing.loop`, in this folder), in the state `steady`.
With trtexec (it comes with TensorRT) each network is built and timed by that program: the median of its GPU times.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from profilers.base import STEADY, Samples, Session, TimingPlan
from profilers.timing import plans
from profilers.timing.loop import time_sessions
from profilers.timing.plain_loop import OPENVINO_TYPES, load_onnxruntime, load_openvino

ENGINES = ("onnxruntime", "onnxruntime-cuda", "openvino", "trtexec")
TOGETHER = 18  # networks timed against each other


class Loaded(Session):
    """A network as a call that runs it once; on a GPU the process's CPU time says nothing."""

    def __init__(self, call: Callable[[], object], threads: int) -> None:
        self.call, self.threads = call, threads

    def run(self) -> None:
        """Once."""
        self.call()


def load(engine: str, model: Path, precision: str, threads: int) -> Loaded:
    """The network, loaded by the runtime's own API."""
    if engine == "openvino":
        return Loaded(load_openvino(str(model), threads, precision), threads)
    cuda = engine.endswith("cuda")
    provider = "CUDAExecutionProvider" if cuda else "CPUExecutionProvider"
    return Loaded(load_onnxruntime(str(model), threads, provider), 0 if cuda else threads)


def by_loop(engine: str, models: list[Path], precision: str, threads: int, plan: TimingPlan) -> list[dict[str, Any]]:
    """Facts of each network, timed in groups."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(models), TOGETHER):
        group = {str(path): load(engine, path, precision, threads) for path in models[start : start + TOGETHER]}
        for path, samples in time_sessions(group, plan).items():
            if not isinstance(samples, Samples):
                raise SystemExit(f"{path} could not be timed: {samples.reason}")
            found.append(
                {
                    "latency_ms": samples.ms, "low": samples.low, "high": samples.high, "clock": samples.clock,
                    "state": samples.state, "estimator": samples.estimator,
                }
            )  # fmt: skip
    return found


def by_trtexec(model: Path, precision: str) -> float:
    """Milliseconds of the network on TensorRT: the median GPU time that trtexec reports."""
    flags = {"fp32": ["--noTF32"], "tf32": [], "fp16": ["--fp16"], "bf16": ["--bf16"], "int8": ["--int8"]}[precision]
    command = ["trtexec", f"--onnx={model}", "--useCudaGraph", "--warmUp=500", "--duration=3", *flags]
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"GPU Compute Time:.*?median = ([\d.]+) ms", output.stdout)
    if output.returncode or not found:
        raise SystemExit(f"trtexec failed on {model}: {(output.stderr or output.stdout).strip()[-300:]}")
    return float(found.group(1))


def main(arguments: list[str] | None = None) -> None:
    """Measure the bundle that this script lies in, or the one given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument("--precision", choices=(*OPENVINO_TYPES, "tf32"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=plans.COMPARE.max_rounds, help="at most, 3 or more")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent)
    chosen = parser.parse_args(arguments)
    lines = (chosen.bundle / "networks.jsonl").read_text(encoding="utf-8").splitlines()
    networks: list[dict[str, Any]] = [json.loads(line) for line in lines]
    models = [chosen.bundle / network.pop("model") for network in networks]
    if chosen.engine == "trtexec":
        said = {"state": STEADY, "estimator": "median of the GPU times that trtexec reports"}
        facts: list[dict[str, Any]] = [{"latency_ms": by_trtexec(model, chosen.precision), **said} for model in models]
    else:
        plan = plans.shorter(plans.COMPARE, max(chosen.rounds, 3))
        facts = by_loop(chosen.engine, models, chosen.precision, chosen.threads, plan)
    about = {"engine": chosen.engine, "threads": chosen.threads}
    out = chosen.bundle / "measured.jsonl"
    rows = [json.dumps({**networks[i], **fact, **about}) + "\n" for i, fact in enumerate(facts)]
    out.write_text("".join(rows), encoding="utf-8")
    times = [fact["latency_ms"] for fact in facts]
    print(f"wrote {out}, {len(rows)} networks, {min(times):.3f} to {max(times):.3f} ms")


if __name__ == "__main__":
    main()
