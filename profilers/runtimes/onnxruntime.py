"""ONNX Runtime, on the CPU or through its CUDA provider. How its profile is read: `onnxruntime_trace`."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from profilers import temporary
from profilers.base import Feeds, Loader, NodeDetail, Options, Profiler, Session, Status, Tensor, not_importable
from profilers.errors import BadInput, FileProblem
from profilers.files import read_text
from profilers.onnx.shapes import Declared, static, static_shape, static_tensor
from profilers.runtimes.onnxruntime_trace import Trace, parse_trace
from profilers.session import default_feeds
from profilers.timing.card_state import card_sensor
from profilers.timing.fingerprint import VECTORS, cpu_flags, vector_flags

KINDS = {"float": "float32", "double": "float64"}  # ONNX Runtime's words, where they are not NumPy's
LEVELS = {
    "disable": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}


# What is optimised for one CPU may compute nonsense on another: there, and for another version, the ONNX is loaded.
_SAME = """\
# model.ort is for one version of ONNX Runtime and one kind of CPU; elsewhere model.onnx does the same
cpu = pathlib.Path("/proc/cpuinfo").read_text().split() if sys.platform == "linux" else []
same = (ort.__version__, {families} & {{*cpu}}) == ("{version}", {vectors})
"""
_LOAD = """\
options = ort.SessionOptions()
options.intra_op_num_threads = {threads}
model = here / {model}
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])"""
_CALL = "dict(zip([port.name for port in session.get_outputs()], session.run(None, feeds)))"


class OnnxRuntime(Profiler):
    """The CPU provider: sequential execution, explicit threads, inputs and outputs bound beforehand."""

    name: ClassVar[str] = "onnxruntime"
    supports_parallel_load: ClassVar[bool] = True
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "int8")  # int8: the model arrives quantised
    provider: ClassVar[str] = "CPUExecutionProvider"
    remedy: ClassVar[str] = "pip install onnxruntime"
    levels: ClassVar[tuple[str, ...]] = tuple(LEVELS)
    suffixes: ClassVar[tuple[str, ...]] = (".ort",)
    machine_specific: ClassVar[bool] = True

    def loader(self, file: str, options: Options) -> Loader:
        """Of the optimised model, which is for one version and one kind of CPU, or of the ONNX."""
        return self.loader_elsewhere(file, options, self.status().version or "unknown", cpu_flags())

    def loader_elsewhere(self, file: str, options: Options, version: str, flags: Sequence[str]) -> Loader:
        """See `Profiler`; `loader` is the same with the facts of this machine."""
        load, model = _LOAD, f'"{file}"'
        if file.endswith(".ort"):
            load, model = _SAME + _LOAD, "f\"model.{'ort' if same else 'onnx'}\""
        families, vectors = (_set(names) for names in (sorted(VECTORS), vector_flags(flags)))
        facts = {"families": families, "vectors": vectors, "version": version}
        load = load.format(threads=options.threads, model=model, **facts)
        return Loader("onnxruntime", "numpy as np, onnxruntime as ort", load, _CALL)

    def _compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        """ONNX Runtime's own format: the graph after all optimisations, with layouts for the CPU's vector width."""
        self.require(options)
        import onnxruntime as ort

        settings = ort.SessionOptions()
        settings.log_severity_level = 4  # it warns that the file is for this CPU
        settings.graph_optimization_level = optimisation_level(options)
        settings.optimized_model_filepath = str(folder / "model.ort")
        settings.add_session_config_entry("session.save_model_format", "ORT")
        open_model(model, settings, self.provider)
        return ["model.ort"]

    def _status(self) -> Status:
        try:
            import onnxruntime
        except (ImportError, OSError) as error:
            return not_importable("onnxruntime", error, self.remedy)
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
    suffixes: ClassVar[tuple[str, ...]] = Profiler.suffixes
    machine_specific: ClassVar[bool] = False
    loader = Profiler.loader  # engines are exported for CPUs
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
        self.sensor = None if self.device == "cpu" else card_sensor()
        self.trace: Trace | None = None
        self.open()

    def open(self) -> None:
        """Create the runtime's session and bind its buffers."""
        import onnxruntime as ort

        if self.traced:
            self.folder = temporary.scratch("trace")
        self.session = open_model(self.model, self.session_options(), self.provider)
        self.inputs = static({t.name: _declared(t) for t in self.session.get_inputs()}, self.options.batch)
        feeds = default_feeds(self.inputs)
        self.outputs = self.output_tensors(feeds)
        values = {name: ort.OrtValue.ortvalue_from_numpy(array, self.device) for name, array in feeds.items()}
        results = {
            name: ort.OrtValue.ortvalue_from_shape_and_type(t.shape, np.dtype(t.dtype).type, self.device)
            for name, t in self.outputs.items()
        }
        self.values, self.written, self.binding = values, results, self.session.io_binding()
        for name, value in values.items():
            self.binding.bind_ortvalue_input(name, value)
        for name, value in results.items():
            self.binding.bind_ortvalue_output(name, value)

    def output_tensors(self, feeds: Feeds) -> dict[str, Tensor]:
        """As the model states them; where it leaves a dimension open, as an untimed run of another session gives it."""
        symbols = {t.shape[0] for t in self.session.get_inputs() if t.shape}
        declared = {t.name: _declared(t, symbols) for t in self.session.get_outputs()}
        if not any(static_shape(d.dims, self.options.batch) is None for d in declared.values()):
            return {name: static_tensor(name, d, self.options.batch) for name, d in declared.items()}
        other = open_model(self.model, session_settings(self.options), self.provider)
        found = dict(zip(declared, other.run(None, feeds)))
        return {n: static_tensor(n, Declared(found[n].shape, d.dtype), self.options.batch) for n, d in declared.items()}

    def session_options(self) -> Any:
        options = session_settings(self.options)
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

    def _feed(self, feeds: Feeds) -> None:
        self.reopen()
        for name, values in feeds.items():
            self.values[name].update_inplace(values)

    def _fetch(self) -> dict[str, NDArray[Any]]:
        return {name: np.array(value.numpy()) for name, value in self.written.items()}

    def node_times(self) -> list[dict[str, float]]:
        """By node; ONNX Runtime can end a profile only once, so the next run opens a new session."""
        if not self.traced:
            return super().node_times()
        if not hasattr(self, "session"):
            return []
        events = json.loads(read_text(Path(self.__dict__.pop("session").end_profiling())))
        self.close()
        return parse_trace(events, self.names())

    def node_details(self) -> dict[str, NodeDetail]:
        """From the optimised graph, which ONNX Runtime saves."""
        return self.names().details() if self.traced else super().node_details()

    def names(self) -> Trace:
        """How the names in a profile are read, once for the session."""
        if self.trace is None:
            self.trace = Trace(self.model, self.save_optimised)
        return self.trace

    def save_optimised(self, path: Path) -> None:
        """The graph that is executed, as ONNX."""
        settings = session_settings(self.options)
        settings.optimized_model_filepath = str(path)
        open_model(self.model, settings, self.provider)

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
        for name in ("binding", "session", "values", "written"):
            self.__dict__.pop(name, None)


def open_model(model: bytes | Path, settings: Any, provider: str) -> Any:
    """ONNX Runtime's session.

    Raises:
        BadInput: a model that it refuses. FileProblem: where `settings` have it saved and it cannot be.
    """
    import onnxruntime as ort

    try:
        return ort.InferenceSession(model if isinstance(model, bytes) else str(model), settings, providers=[provider])
    except Exception as error:  # ORT's exceptions have no common base
        if not (saved := settings.optimized_model_filepath):
            raise BadInput(f"ONNX Runtime refuses the model: {error}", "an ONNX model") from error
        settings.optimized_model_filepath = ""
        open_model(model, settings, provider)  # the model alone is fine
        raise FileProblem(f"ONNX Runtime cannot write {saved}: {error}", remedy="free some space") from error


def session_settings(options: Options) -> Any:
    """ONNX Runtime's `SessionOptions`."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 4  # errors reach the user as one line, not as ONNX Runtime's log
    settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
    settings.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = optimisation_level(options)
    # Workers spin during a run, as in production, but not after it, where they would slow the next model.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    return settings


def optimisation_level(options: Options) -> Any:
    """ONNX Runtime's constant for `options.optimization`."""
    import onnxruntime as ort

    return getattr(ort.GraphOptimizationLevel, LEVELS[options.optimization or "all"])


def _declared(tensor: Any, batch: Collection[str] | None = None) -> Declared:
    """As ONNX Runtime states it; of outputs only those first dimensions are the batch that inputs have, too."""
    kind = tensor.type.removeprefix("tensor(").removesuffix(")")
    dims = [d if isinstance(d, int) else None for d in tensor.shape]
    if batch is not None and dims and dims[0] is None and tensor.shape[0] not in batch:
        dims = [None, None]  # not known before a run
    return Declared(dims, KINDS.get(kind, kind))


def _set(names: Sequence[str]) -> str:
    return "{" + ", ".join(f'"{name}"' for name in names or ["unknown"]) + "}"
