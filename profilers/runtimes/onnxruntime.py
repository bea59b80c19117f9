"""ONNX Runtime, on the CPU or through its CUDA provider.

Per-node times come from ONNX Runtime's profile, in whole microseconds. A duration is the truncated difference of two
clock readings, so half a microsecond, the mean loss, is added to each node. Differences of start times would be worse:
they include the 3-4 microseconds that recording each event takes.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from profilers.base import Array, Options, Profiler, Session, Status
from profilers.errors import BadInput
from profilers.files import read_text
from profilers.onnx.shapes import check_count, check_float, static_shape

LEVELS = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
# What ONNX Runtime adds to the graph: layout nodes, and the parts of a HardSwish that is not fused (int8)
LAYOUT_OPS = ("ReorderInput", "ReorderOutput", "Transpose", "MemcpyToHost", "MemcpyFromHost")
INLINED = re.compile(r"(HardSigmoid|Mul)_\d+")
TRUNCATED_MS = 0.0005


class OnnxRuntime(Profiler):
    """The CPU provider: sequential execution, explicit threads, inputs and outputs bound beforehand."""

    name: ClassVar[str] = "onnxruntime"
    supports_parallel_load: ClassVar[bool] = True
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "int8")  # int8: the model arrives quantised
    provider: ClassVar[str] = "CPUExecutionProvider"
    remedy: ClassVar[str] = "pip install onnxruntime"

    def _status(self) -> Status:
        try:
            import onnxruntime
        except ImportError:
            return Status(False, reason="onnxruntime is not installed", remedy=self.remedy)
        if self.provider not in onnxruntime.get_available_providers():
            reason = f"the installed onnxruntime {onnxruntime.__version__} has no {self.provider}"
            return Status(False, onnxruntime.__version__, reason, self.remedy)
        return Status(True, onnxruntime.__version__)

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        return _OrtSession(model, options, traced, self.provider)


class OnnxRuntimeCuda(OnnxRuntime):
    """The CUDA provider: buffers on the device; a run ends when its outputs are complete."""

    name: ClassVar[str] = "onnxruntime-cuda"
    device: ClassVar[str] = "cuda"
    supports_parallel_load: ClassVar[bool] = False
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    traces: ClassVar[bool] = False  # its profile has the times at which kernels were launched, not their durations
    provider: ClassVar[str] = "CUDAExecutionProvider"
    remedy: ClassVar[str] = "pip install onnxruntime-gpu, on a machine with an NVIDIA GPU"

    def device_name(self) -> str:
        """As the driver names it."""
        from profilers.timing.fingerprint import nvidia_gpu

        return nvidia_gpu()


class _OrtSession(Session):
    def __init__(self, model: bytes | Path, options: Options, traced: bool, provider: str) -> None:
        self.model, self.options, self.traced, self.provider = model, options, traced, provider
        self.device = "cpu" if provider.startswith("CPU") else "cuda"
        self.threads = options.threads if self.device == "cpu" else 0
        self.open()

    def open(self) -> None:
        """Create the runtime's session and bind its buffers."""
        import onnxruntime as ort

        if self.traced:
            self.folder = tempfile.TemporaryDirectory(prefix="hwnas-trace-")
        source = self.model if isinstance(self.model, bytes) else str(self.model)
        settings = self.session_options()
        try:
            self.session = ort.InferenceSession(source, settings, providers=[self.provider])
        except Exception as error:  # ORT's exceptions have no common base
            raise BadInput(f"ONNX Runtime refuses the model: {error}", "an ONNX model") from error
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        check_count(len(inputs), len(outputs))
        self.input_shape, self.output_shape = (_shape(t[0], self.options.batch) for t in (inputs, outputs))
        images = np.random.default_rng(0).standard_normal(self.input_shape, dtype=np.float32)
        self.images = ort.OrtValue.ortvalue_from_numpy(images, self.device)
        self.results = ort.OrtValue.ortvalue_from_shape_and_type(self.output_shape, np.float32, self.device)
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input(inputs[0].name, self.images)
        self.binding.bind_ortvalue_output(outputs[0].name, self.results)

    def session_options(self) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4  # errors reach the user as one line, not as ONNX Runtime's log
        options.intra_op_num_threads, options.inter_op_num_threads = self.options.threads, 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = optimisation_level(self.options)
        # Workers spin during a run, as in production, but not after it, where they would slow the next model.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if self.traced:
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(self.folder.name) / "trace")
        return options

    def run(self) -> None:
        """`run_with_iobinding`, and on a GPU waiting for the outputs."""
        if self.traced:
            self.reopen()
        self.session.run_with_iobinding(self.binding)
        if self.device != "cpu":
            self.binding.synchronize_outputs()

    def infer(self, images: Array) -> Array:
        """Outputs for `images` of `input_shape`."""
        if images.shape != self.input_shape:
            raise BadInput(f"images of shape {images.shape}", str(self.input_shape))
        self.reopen()
        self.images.update_inplace(np.ascontiguousarray(images, np.float32))
        self.run()
        return np.array(self.results.numpy())

    def node_times(self) -> list[dict[str, float]]:
        """By node; ONNX Runtime can end a profile only once, so the next run opens a new session."""
        if not self.traced:
            return super().node_times()
        if not hasattr(self, "session"):
            return []
        events = json.loads(read_text(Path(self.__dict__.pop("session").end_profiling())))
        self.close()
        return parse_trace(events)

    def reopen(self) -> None:
        """Open the session again whose profile was ended."""
        if not hasattr(self, "session"):
            self.open()

    def close(self) -> None:
        """Free the session and its profile."""
        if self.traced and hasattr(self, "session"):
            self.session.end_profiling()
        if self.traced:
            self.folder.cleanup()
        for name in ("binding", "session", "images", "results"):
            self.__dict__.pop(name, None)


def optimisation_level(options: Options) -> Any:
    """ONNX Runtime's constant for `options.optimization`; BadInput if there is none."""
    import onnxruntime as ort

    if options.optimization not in ("", *LEVELS):
        raise BadInput(f"optimization {options.optimization!r} on ONNX Runtime", ", ".join(LEVELS))
    return getattr(ort.GraphOptimizationLevel, LEVELS[options.optimization or "all"])


def parse_trace(events: Iterable[dict[str, Any]]) -> list[dict[str, float]]:
    """Milliseconds by node name for each run in a profile; layout nodes are attributed to the next named node."""
    runs: list[dict[str, float]] = []
    nodes: dict[str, float] = {}
    pending = 0.0
    last = ""
    for event in events:
        if event["name"] == "SequentialExecutor::Execute":  # recorded after its nodes
            if last:
                nodes[last] += pending
            runs.append(nodes)
            nodes, pending, last = {}, 0.0, ""
        elif event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            pending += event["dur"] / 1e3 + TRUNCATED_MS
            name = event["name"].removesuffix("_kernel_time").removesuffix("_nchwc")
            if event["args"].get("op_name") not in LAYOUT_OPS and not INLINED.fullmatch(name):
                last = name
                nodes[last] = nodes.get(last, 0.0) + pending
                pending = 0.0
    return runs


def _shape(tensor: Any, batch: int) -> tuple[int, ...]:
    check_float(tensor.name, tensor.type, "tensor(float)")
    return static_shape(tensor.name, [d if isinstance(d, int) else None for d in tensor.shape], batch)
