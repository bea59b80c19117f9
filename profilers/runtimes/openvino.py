"""OpenVINO on the CPU: latency hint, one stream, explicit threads, preallocated tensors.

Per-node times come from `get_profiling_info`, which on the CPU does not describe the last run: it has each node's
average since the model was compiled, truncated to whole microseconds. Average times runs is a sum, and the difference
of two sums is the time between them, with an error of about n microseconds after n runs. A traced session therefore
reads it every `WINDOW` runs and gives each run its window's mean, with an error of a microsecond or two; the cold first
runs cancel out. Each run's time is truncated before it is added, so half a microsecond, the mean loss, is added. Nodes
of less than a microsecond are called NOT_RUN; fused ones, which have no time of their own, differ from them by the name
of the implementation.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from profilers.base import Array, Options, Profiler, Session, Status
from profilers.errors import BadInput
from profilers.onnx.parse import parse
from profilers.onnx.shapes import check_count, check_float, static_shape

TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}  # int8: the model arrives quantised
CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}
WINDOW = 8
TRUNCATED_MS = 0.0005
NOT_THERE = ("undef", "unknown")  # implementation of fused nodes; of inputs, outputs and reshapes


class OpenVino(Profiler):
    """The CPU plug-in, with the precisions that the device reports."""

    name: ClassVar[str] = "openvino"
    supports_parallel_load: ClassVar[bool] = True
    precisions: ClassVar[tuple[str, ...]] = tuple(TYPES)

    def _status(self) -> Status:
        try:
            import openvino
        except ImportError:
            return Status(False, reason="openvino is not installed", remedy="pip install 'hwnas[openvino]'")
        return Status(True, openvino.__version__)

    def supported_precisions(self) -> tuple[str, ...]:
        """Those that the CPU computes in natively."""
        import openvino

        found = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return tuple(p for p in self.precisions if CAPABILITIES[p] in found)

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        if options.optimization:
            raise BadInput(f"optimization {options.optimization!r} on {self.name}", "none: it has no levels")
        return _OvSession(model, options, traced)


class _OvSession(Session):
    def __init__(self, model: bytes | Path, options: Options, traced: bool) -> None:
        import openvino as ov

        core = ov.Core()
        self.traced, self.threads = traced, options.threads
        data = model if isinstance(model, bytes) else str(model)
        try:
            graph = core.read_model(data)
        except Exception as error:  # RuntimeError, or one of openvino's own
            raise BadInput(f"OpenVINO refuses the model: {error}", "an ONNX model") from error
        self.input_shape = _set_batch(graph, options.batch)
        self.request = core.compile_model(graph, "CPU", _properties(options, traced)).create_infer_request()
        self.images = np.random.default_rng(0).standard_normal(self.input_shape, dtype=np.float32)
        self.output_shape = tuple(self.request.get_output_tensor(0).shape)
        self.results = np.zeros(self.output_shape, np.float32)
        self.request.set_input_tensor(ov.Tensor(self.images, shared_memory=True))
        self.request.set_output_tensor(ov.Tensor(self.results, shared_memory=True))
        if traced:
            self.names = _producers(model)
            self.request.infer()  # the first runs are cold; the counters cannot be reset, only subtracted
            self.request.infer()
            self.runs = 2
            self.snapshots = [self.snapshot()]

    def run(self) -> None:
        """One synchronous inference; every eighth of a traced session reads the counters too."""
        self.request.infer()
        if self.traced:
            self.runs += 1
            if self.runs - self.snapshots[-1][0] == WINDOW:
                self.snapshots.append(self.snapshot())

    def infer(self, images: Array) -> Array:
        """Outputs for `images` of `input_shape`."""
        if images.shape != self.input_shape:
            raise BadInput(f"images of shape {images.shape}", str(self.input_shape))
        self.images[:] = images
        self.run()
        return self.results.copy()

    def node_times(self) -> list[dict[str, float]]:
        """By node; each run has the mean of its window of about eight runs (see the module's docstring)."""
        if not self.traced:
            return super().node_times()
        if self.runs > self.snapshots[-1][0]:
            short = self.runs - self.snapshots[-1][0] < WINDOW // 2 and len(self.snapshots) > 1
            self.snapshots[-1 if short else len(self.snapshots) :] = [self.snapshot()]
        windows, self.snapshots = self.snapshots, self.snapshots[-1:]
        times: list[dict[str, float]] = []
        for (start, before), (end, after) in pairwise(windows):
            times += [window_mean(before, start, after, end)] * (end - start)
        return times

    def snapshot(self) -> tuple[int, dict[str, float]]:
        """Runs so far and the running averages by node."""
        return self.runs, parse_counters(self.request.get_profiling_info(), self.names)

    def close(self) -> None:
        """Free the request and with it the compiled model."""
        self.__dict__.pop("request", None)


def parse_counters(infos: list[Any], names: dict[str, str]) -> dict[str, float]:
    """Average milliseconds by node; those of reorders and unknown nodes are attributed to the next known one.

    `names` maps output tensors to ONNX nodes, because OpenVINO names the last node after the model's output. Quantised
    models have subgraphs with names such as `Subtract_1406`. Without `names`, all nodes count as known.
    """
    known = {*names, *names.values()}
    times: dict[str, float] = {}
    pending, last = 0.0, ""
    for info in infos:
        if info.exec_type.split("_")[0] in NOT_THERE:
            continue
        measured = info.real_time.total_seconds() * 1e3
        pending += measured + TRUNCATED_MS if measured or info.node_type != "Reorder" else 0.0
        name = info.node_name.split("/WithoutBiases")[0]
        if info.node_type != "Reorder" and (not names or name in known):
            last = names.get(name, name)
            times[last] = times.get(last, 0.0) + pending
            pending = 0.0
    if last:
        times[last] += pending
    return times


def window_mean(before: dict[str, float], start: int, after: dict[str, float], end: int) -> dict[str, float]:
    """Mean milliseconds of the runs start+1 … end from the running averages after `start` and after `end` runs."""
    return {name: max((end * ms - start * before.get(name, 0.0)) / (end - start), 0.0) for name, ms in after.items()}


def _producers(model: bytes | Path) -> dict[str, str]:
    return {output: node.name or output for node in parse(model).graph.node for output in node.output}


def _set_batch(graph: Any, batch: int) -> tuple[int, ...]:
    """Check the graph and give it its static shape; returns the input's."""
    check_count(len(graph.inputs), len(graph.outputs))
    for port in (graph.input(0), graph.output(0)):
        check_float(port.get_any_name(), port.get_element_type().get_type_name(), "f32")
    dims = [None if d.is_dynamic else d.get_length() for d in graph.input(0).get_partial_shape()]
    shape = static_shape(graph.input(0).get_any_name(), dims, batch)
    graph.reshape(shape)
    return shape


def _properties(options: Options, traced: bool) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(options.threads),
        "INFERENCE_PRECISION_HINT": TYPES[options.precision],
        "ENABLE_CPU_PINNING": False,  # pinned from outside, like every runtime
        "PERF_COUNT": traced,
    }
