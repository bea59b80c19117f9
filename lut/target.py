"""Measures the networks of a bundle on the machine that it lies on; needs Python, numpy and the runtime, nothing else.

    python measure.py [--engine onnxruntime|onnxruntime-cuda|openvino|trtexec] [--threads 1] [--precision fp32]

Writes measured.jsonl, for `hwnas lut fit --networks measured.jsonl`. All networks are loaded, then run in turn for a
number of rounds in random order; a network's time is the lower quartile of its rounds, since other work only adds time.
With trtexec (it comes with TensorRT) each network is built and timed by that program: the median of its GPU times.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[], object]
ENGINES = ("onnxruntime", "onnxruntime-cuda", "openvino", "trtexec")
OPENVINO_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}


def load_onnxruntime(model: Path, provider: str, threads: int) -> Run:
    """A call that runs the network once, its input and output bound on the device."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(str(model), options, providers=[provider])
    if session.get_providers()[0] != provider:
        raise SystemExit(f"this onnxruntime has no {provider}; installed: {', '.join(session.get_providers())}")
    device = "cuda" if provider.startswith("CUDA") else "cpu"
    entry, exit_, binding = session.get_inputs()[0], session.get_outputs()[0], session.io_binding()
    images = np.random.default_rng(0).standard_normal(entry.shape, dtype=np.float32)
    binding.bind_ortvalue_input(entry.name, ort.OrtValue.ortvalue_from_numpy(images, device))
    binding.bind_output(exit_.name, device)

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def load_openvino(model: Path, precision: str, threads: int) -> Run:
    """A call that runs the network once on the CPU, with the latency hint."""
    import openvino as ov

    settings = {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": OPENVINO_TYPES[precision],
    }  # fmt: skip
    compiled = ov.Core().compile_model(str(model), "CPU", settings)
    request = compiled.create_infer_request()
    shape = list(compiled.input(0).shape)
    request.set_input_tensor(ov.Tensor(np.random.default_rng(0).standard_normal(shape, dtype=np.float32)))
    return request.infer  # type: ignore[no-any-return]


def in_rounds(runs: list[Run], rounds: int) -> list[float]:
    """Milliseconds of each: the lower quartile over rounds that run all of them once, in random order."""
    rng = np.random.default_rng(0)
    for run in runs:
        for _ in range(5):
            run()
    times = np.zeros((rounds, len(runs)))
    for row in times:
        for i in rng.permutation(len(runs)):
            runs[i]()  # untimed: brings back the network's own caches
            start = time.perf_counter()
            runs[i]()
            row[i] = 1e3 * (time.perf_counter() - start)
    lower: list[float] = np.quantile(times, 0.25, axis=0).tolist()
    return lower


def by_trtexec(model: Path, precision: str) -> float:
    """Milliseconds of the network on TensorRT: the median GPU time that trtexec reports."""
    flags = {"fp32": ["--noTF32"], "tf32": [], "fp16": ["--fp16"], "bf16": ["--bf16"], "int8": ["--int8"]}[precision]
    command = ["trtexec", f"--onnx={model}", "--useCudaGraph", "--warmUp=500", "--duration=3", *flags]
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"GPU Compute Time:.*?median = ([\d.]+) ms", output.stdout)
    if output.returncode or not found:
        raise SystemExit(f"trtexec failed on {model}: {(output.stderr or output.stdout).strip()[-300:]}")
    return float(found.group(1))


def measured(engine: str, models: list[Path], precision: str, threads: int, rounds: int) -> list[float]:
    """Milliseconds of each model."""
    if engine == "trtexec":
        return [by_trtexec(model, precision) for model in models]
    if engine == "openvino":
        return in_rounds([load_openvino(model, precision, threads) for model in models], rounds)
    provider = "CUDAExecutionProvider" if engine.endswith("cuda") else "CPUExecutionProvider"
    return in_rounds([load_onnxruntime(model, provider, threads) for model in models], rounds)


def main(arguments: list[str] | None = None) -> None:
    """Measure the bundle that this script lies in, or the one given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default="onnxruntime")
    parser.add_argument("--precision", choices=("fp32", "tf32", "fp16", "bf16", "int8"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent)
    chosen = parser.parse_args(arguments)
    lines = (chosen.bundle / "networks.jsonl").read_text(encoding="utf-8").splitlines()
    networks: list[dict[str, Any]] = [json.loads(line) for line in lines]
    models = [chosen.bundle / network.pop("model") for network in networks]
    times = measured(chosen.engine, models, chosen.precision, chosen.threads, chosen.rounds)
    out = chosen.bundle / "measured.jsonl"
    rows = [
        json.dumps({**network, "latency_ms": ms, "engine": chosen.engine, "threads": chosen.threads}) + "\n"
        for network, ms in zip(networks, times, strict=True)
    ]
    out.write_text("".join(rows), encoding="utf-8")
    print(f"wrote {out}, {len(rows)} networks, {min(times):.3f} to {max(times):.3f} ms")


if __name__ == "__main__":
    main()
