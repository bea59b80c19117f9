"""What the acceptance asks of `export --engine auto` of models made elsewhere; run it when nothing else does.

    python -m tools.bench.export_models [NAME …] --out FOLDER      models of torchvision or timm, with random weights

For each: parity and the pick by `hwnas export python:… --engine auto`; all allowed engines timed again by a plain
loop, loaded afresh and in another order; the engine's `run.py` in a virtual environment that has the runtime, numpy and
Pillow alone. Everything runs on one core. A line of JSON for each model, kept in FOLDER/results.jsonl: called again, it
goes on with those that are missing. The last line is the verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from hwnas.api.engines import Engine
from hwnas.export.build import PrecisionVariants, Target, build
from hwnas.export.engines import ENGINES
from hwnas.export.model_source import ModelOptions, open_model_source
from profilers.base import Options, Session
from profilers.errors import BadInput
from profilers.registry import get_profiler
from tools.bench.shared import run

if TYPE_CHECKING:
    from torch import nn

MODELS = ("mobilenet_v3_large", "resnet18", "regnet_y_400mf", "efficientnet_b0", "mixnet_s")
SHAPES = {"": (1, 3, 224, 224)}
CLOSE = 1.03  # what the pick may be slower than the fastest of the independent timing
ROUNDS, SECONDS = 200, 30.0
SOURCE = "python:tools.bench.export_models:"


def __getattr__(name: str) -> Callable[[], nn.Module]:
    """`tools.bench.export_models:NAME` makes the model of that name, as `hwnas export` asks for it."""
    if name.startswith("_"):
        raise AttributeError(name)
    return lambda: make(name)


def make(name: str) -> nn.Module:
    """Of torchvision, else of timm; the same random weights each time."""
    import torch
    from torchvision import models

    torch.manual_seed(0)
    found: nn.Module
    if name in models.list_models(module=models):
        found = models.get_model(name, weights=None)
    else:
        import timm

        found = timm.create_model(name, pretrained=False)
    return found


def bench(name: str, folder: Path) -> dict[str, Any]:
    """One model, the whole way."""
    out = folder / name
    if not (out / "datasheet.json").is_file():
        command = [sys.executable, "-m", "hwnas", "export", SOURCE + name, "--shape", "1x3x224x224", "--engine", "auto",
                   "--no-compiled", "--quick", "--out", str(out)]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sheet = Engine(out).datasheet
    candidates = sheet["engine_selection"]["candidates"]
    allowed = [(c["engine"], c["precision"]) for c in candidates if not c["refused"]]
    times = independent(name, allowed, folder / f"{name}-again")
    pick = f"{sheet['engine']['name']} {sheet['engine']['precision']}"
    parity = sheet["parity"]["seeded noise"]
    slower = times[pick] / min(times.values())
    shipped = run_alone(out, folder)
    return {
        "model": name,
        "pick": pick,
        "selected_ms": {f"{c['engine']} {c['precision']}": (c["latency"] or {}).get("value") for c in candidates},
        "independent_ms": times,
        "pick_over_fastest": slower,
        "parity_max_rel": parity["max_rel"],
        "top1_agreement": parity["top1_agreement"],
        **shipped,
        "good": slower <= CLOSE and parity["max_rel"] < 1e-3 and shipped["run_py_agrees"],
    }


def independent(name: str, allowed: Sequence[tuple[str, str]], folder: Path) -> dict[str, float]:
    """Median milliseconds by engine, built and loaded afresh, in turns by a plain loop, the last one first."""
    item = open_model_source(make(name), ModelOptions(SHAPES)).item("")
    variants = PrecisionVariants(item)
    with ExitStack() as stack:
        sessions: dict[str, Session] = {}
        for engine, precision in reversed(allowed):
            built = build(variants, Target(ENGINES[engine], Options(precision=precision)), folder / engine / precision)
            if built.session is not None:
                sessions[f"{engine} {precision}"] = stack.enter_context(built.session)
        return plain_loop(sessions)


def plain_loop(sessions: Mapping[str, Session]) -> dict[str, float]:
    """Medians of single runs; a run is timed behind two that are not, which bring its data back to the caches."""
    found: dict[str, list[float]] = {name: [] for name in sessions}
    started = time.perf_counter()
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            session.run(), session.run()
            before = time.perf_counter()
            session.run()
            found[name].append(1e3 * (time.perf_counter() - before))
        if time.perf_counter() - started > SECONDS * len(sessions):
            break
    return {name: float(np.median(ms)) for name, ms in found.items()}


def run_alone(out: Path, folder: Path) -> dict[str, Any]:
    """`run.py` on an image in the bare environment, beside what the engine answers here."""
    image, engine = folder / "image.png", Engine(out)
    if not image.is_file():
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (320, 280, 3), np.uint8)).save(image)
    python = environment(engine.datasheet["engine"]["profiler"], folder)
    done = subprocess.run([python, "-I", out / "run.py", image], capture_output=True, text=True)
    answers = re.findall(r"^(\d+): ([\d.]+) %$", done.stdout, re.MULTILINE)
    logits = engine.infer(image)[0].astype(np.float64)
    shares = 100 * np.exp(logits - np.logaddexp.reduce(logits))
    agrees = len(answers) == 5 and all(abs(float(share) - shares[int(label)]) < 0.1 for label, share in answers)
    listed = subprocess.run([python, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True)
    return {"run_py": done.stdout.splitlines()[:1] or done.stderr.splitlines()[-1:], "run_py_agrees": agrees,
            "environment": listed.stdout.split()}  # fmt: skip


def environment(runtime: str, folder: Path) -> Path:
    """The Python of a virtual environment with the runtime in the version that is here, numpy and Pillow."""
    place = folder / f"venv-{runtime}"
    python = place / "bin" / "python"
    if not (place / "ready").is_file():
        venv.create(place, with_pip=True, clear=True)
        wanted = f"{runtime}=={get_profiler(runtime).status().version.partition('-')[0]}"
        subprocess.run([python, "-m", "pip", "install", "--quiet", wanted, "numpy", "pillow"], check=True)
        (place / "ready").touch()
    return python


def known(path: Path) -> Iterator[dict[str, Any]]:
    """Results of earlier calls."""
    if path.is_file():
        yield from map(json.loads, path.read_text().splitlines())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    a = parser.parse_args()
    if a.core not in os.sched_getaffinity(0):
        raise BadInput(f"--core {a.core}", ", ".join(map(str, sorted(os.sched_getaffinity(0)))))
    os.sched_setaffinity(0, {a.core})
    a.out.mkdir(parents=True, exist_ok=True)
    results = a.out / "results.jsonl"
    found = {row["model"]: row for row in known(results)}
    for name in a.models:
        if name not in found:
            found[name] = bench(name, a.out.resolve())
            with results.open("a") as stream:
                stream.write(json.dumps(found[name], allow_nan=False) + "\n")
        print(json.dumps(found[name], allow_nan=False), flush=True)
    good = [found[name]["good"] for name in a.models]
    print(json.dumps({"bench": "export_models", "models": len(good), "good": sum(good), "passed": all(good)}))


if __name__ == "__main__":
    run(main)
