"""Measures the networks of a bundle on the machine that it lies on; needs Python 3.8, numpy and the runtime, no more.

    python measure.py [--engine onnxruntime|onnxruntime-cuda|openvino|trtexec] [--threads 1] [--precision fp32]

Writes measured.jsonl, for `hwnas lut fit --networks measured.jsonl`; until all are measured, measured.jsonl.partial has
a line for each network that is. Started again it goes on there, and keeps what is finished; --fresh begins anew.

The networks are timed against each other by the same loop as tables (`profilers.timing.loop`, in this folder), 18 at a
time, in the state `steady`.
With trtexec (it comes with TensorRT) each network is built and timed by that program: the median of its GPU times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    try:
        import numpy  # noqa: F401  what follows needs it
    except ImportError:
        sys.exit(f"numpy is not installed; try: {sys.executable} -m pip install numpy onnxruntime")

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


def by_loop(engine: str, models: Mapping[int, Path], precision: str, threads: int, plan: TimingPlan
            ) -> Iterator[tuple[int, dict[str, Any]]]:  # fmt: skip
    """The facts of each network by its number, as soon as its group is timed."""
    numbers = list(models)
    for start in range(0, len(numbers), TOGETHER):
        some = numbers[start : start + TOGETHER]
        group = {str(number): load(engine, models[number], precision, threads) for number in some}
        found = time_sessions(group, plan)
        for number in some:
            samples = found[str(number)]
            if not isinstance(samples, Samples):
                raise SystemExit(f"{models[number]} could not be timed: {samples.reason}")
            yield number, {
                "latency_ms": samples.ms, "low": samples.low, "high": samples.high, "clock": samples.clock,
                "state": samples.state, "estimator": samples.estimator,
            }  # fmt: skip


def by_trtexec(model: Path, precision: str) -> float:
    """Milliseconds of the network on TensorRT: the median GPU time that trtexec reports."""
    flags = {"fp32": ["--noTF32"], "tf32": [], "fp16": ["--fp16"], "bf16": ["--bf16"], "int8": ["--int8"]}[precision]
    command = ["trtexec", f"--onnx={model}", "--useCudaGraph", "--warmUp=500", "--duration=3", *flags]
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"GPU Compute Time:.*?median = ([\d.]+) ms", output.stdout)
    if output.returncode or not found:
        raise SystemExit(f"trtexec failed on {model}: {(output.stderr or output.stdout).strip()[-300:]}")
    return float(found.group(1))


class Partial:
    """What is measured so far: a line of how, then a line a network. A line that is cut off is not there."""

    def __init__(self, path: Path, how: dict[str, Any], fresh: bool) -> None:
        self.path = path
        there = "" if fresh or not path.exists() else path.read_text(encoding="utf-8")
        lines = _rows(path, there[: there.rfind("\n") + 1]) or [how]
        _require_same(path, lines[0], how)
        self.found: dict[int, dict[str, Any]] = {row["network"]: row["facts"] for row in lines[1:]}
        _write(path, lines)

    def add(self, number: int, facts: dict[str, Any]) -> None:
        """Keep a network, whatever happens next."""
        with self.path.open("a", encoding="utf-8") as file:
            _flushed(file, [{"network": number, "facts": facts}])
        self.found[number] = facts


def _rows(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        raise SystemExit(f"{path} is damaged; try: --fresh to begin anew") from None


def _require_same(path: Path, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differ = [f"{name} was {there.get(name)}, is {now[name]}" for name in now if there.get(name) != now[name]]
    if differ:
        raise SystemExit(f"{path} was measured otherwise: {'; '.join(differ)}; try: the same, or --fresh to begin anew")


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """In one step."""
    part = path.with_name(path.name + ".new")
    with part.open("w", encoding="utf-8") as file:
        _flushed(file, rows)
    part.replace(path)


def _flushed(file: TextIO, rows: Iterable[Mapping[str, Any]]) -> None:
    """A line each, on the disk when this returns."""
    file.write("".join(json.dumps(row) + "\n" for row in rows))
    file.flush()
    os.fsync(file.fileno())


def _machine() -> str:
    """For people, and to tell machines apart."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return f"{(names or [platform.machine()])[0]} in {platform.node()}"


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument("--precision", choices=(*OPENVINO_TYPES, "tf32"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=plans.COMPARE.max_rounds, help="at most, 3 or more")
    parser.add_argument("--fresh", action="store_true", help="begin anew, in place of what is measured")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent)
    return parser.parse_args(arguments)


def measure(chosen: argparse.Namespace, models: Mapping[int, Path]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The facts of each network by its number, as soon as they are known."""
    if chosen.engine != "trtexec":
        plan = plans.shorter(plans.COMPARE, max(chosen.rounds, 3))
        yield from by_loop(chosen.engine, models, chosen.precision, chosen.threads, plan)
        return
    for number, model in models.items():
        said = {"state": STEADY, "estimator": "median of the GPU times that trtexec reports"}
        yield number, {"latency_ms": by_trtexec(model, chosen.precision), **said}


def main(arguments: list[str] | None = None) -> None:
    """Measure the bundle that this script lies in, or the one given."""
    chosen = _arguments(arguments)
    listed = chosen.bundle / "networks.jsonl"
    networks = _rows(listed, listed.read_text(encoding="utf-8"))
    models = {i: chosen.bundle / network.pop("model") for i, network in enumerate(networks)}
    about = {"engine": chosen.engine, "threads": chosen.threads}
    if chosen.precision != "fp32":  # by default it is that of the networks
        about["precision"] = chosen.precision
    out, path = chosen.bundle / "measured.jsonl", chosen.bundle / "measured.jsonl.partial"
    if not chosen.fresh and not path.exists() and _is_finished(out, [{**n, **about} for n in networks]):
        print(f"{out} has these networks measured in this way: kept (--fresh begins anew)")
        return
    which = hashlib.sha256(json.dumps(networks).encode()).hexdigest()[:12]
    how = {"precision": chosen.precision, "rounds": chosen.rounds, "machine": _machine(), "networks": which}
    found = _all(chosen, models, Partial(path, {**about, **how}, chosen.fresh))
    rows = [{**network, **found[i], **about} for i, network in enumerate(networks)]
    _write(out, rows)
    path.unlink()
    times = [row["latency_ms"] for row in rows]
    print(f"wrote {out}, {len(rows)} networks, {min(times):.3f} to {max(times):.3f} ms")


def _all(chosen: argparse.Namespace, models: Mapping[int, Path], partial: Partial) -> dict[int, dict[str, Any]]:
    """The facts of all, each kept as it is known."""
    try:
        for number, facts in measure(chosen, {i: m for i, m in models.items() if i not in partial.found}):
            partial.add(number, facts)
    except KeyboardInterrupt:
        kept = f"{len(partial.found)} of {len(models)} networks are kept in {partial.path}"
        raise SystemExit(f"interrupted; {kept}; the same command goes on") from None
    except ImportError as error:
        raise SystemExit(f"{error}; try: {sys.executable} -m pip install {chosen.engine.split('-')[0]}") from None
    except Exception as error:  # the runtime's own
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SystemExit(f"{said}; {len(partial.found)} networks are kept in {partial.path}") from None
    return partial.found


def _is_finished(out: Path, wanted: list[dict[str, Any]]) -> bool:
    """Whether all are there, in this way; SystemExit where others are."""
    if not out.exists():
        return False
    names = list(wanted[0])
    if [{name: row.get(name) for name in names} for row in _rows(out, out.read_text(encoding="utf-8"))] != wanted:
        raise SystemExit(f"{out} is of other networks, or measured otherwise; try: --fresh to begin anew")
    return True


if __name__ == "__main__":
    main()
