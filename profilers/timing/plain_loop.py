"""A plain loop around the runtime's own API, in a process of its own: what a user's few lines of code would measure.

    python plain.py ENGINE MODEL.onnx [--threads 1] [--precision fp32] [--seconds 3]

Prints JSON: {"median_ms", "quick_ms", "runs"}; `quick_ms` is the 5 % quantile, since contention only adds time. It
imports nothing of this project, so that it is an independent check.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ENGINES = ("onnxruntime", "openvino")
OPENVINO_TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
WARM_UP_SECONDS = 0.3
QUICK = 0.05
_cores: list[Any] = []


def load_onnxruntime(model: str, threads: int, provider: str = "CPUExecutionProvider") -> Callable[[], Any]:
    """A call that runs the network once on random images, its input and output bound on the device."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(model, options, providers=[provider])
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


def load_openvino(model: str, threads: int, precision: str = "fp32") -> Callable[[], Any]:
    """A call that runs the network once on random images on the CPU, with the latency hint."""
    ov, core = _openvino()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": OPENVINO_TYPES[precision],
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    shape = list(request.get_input_tensor(0).shape)
    request.set_input_tensor(ov.Tensor(np.random.default_rng(0).standard_normal(shape, dtype=np.float32)))
    infer: Callable[[], Any] = request.infer
    return infer


def _openvino() -> tuple[Any, Any]:
    """The package, which reports nothing where its package for that is missing, and one core: several have a fault."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino as ov

    if not _cores:
        _cores.append(ov.Core())
    return ov, _cores[0]


def loop(run: Callable[[], Any], seconds: float) -> list[float]:
    """Milliseconds of each run, back to back for so long, after a warm-up."""
    end = time.perf_counter() + WARM_UP_SECONDS
    while time.perf_counter() < end:
        run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Load, loop, print."""
    parser = argparse.ArgumentParser(description="Time an ONNX model by a plain loop.")
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=sorted(OPENVINO_TYPES), default="fp32")
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    if args.engine == "openvino":
        run = load_openvino(args.model, args.threads, args.precision)
    else:
        run = load_onnxruntime(args.model, args.threads)
    times = loop(run, args.seconds)
    median, quick = (float(np.quantile(times, q)) for q in (0.5, QUICK))
    print(json.dumps({"median_ms": median, "quick_ms": quick, "runs": len(times)}))


if __name__ == "__main__":
    main()
