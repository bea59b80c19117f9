"""TensorRT and TensorRT-RTX on an NVIDIA GPU.

The timed region is one run on the GPU, between an event before the network's kernels and one after them, on one
stream; it is launched as a CUDA graph where it can be captured. Inputs and outputs lie on the device, bound beforehand;
copies to and from the host are not timed. Without a GPU nothing runs, but TensorRT-RTX engines can be built.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from profilers.base import Feeds, Loader, NodeDetail, Options, Profiler, Session, Status, Tensor
from profilers.errors import EngineUnavailable, MeasurementFailed
from profilers.onnx.shapes import Declared, static_tensor
from profilers.runtimes.cuda import choice
from profilers.runtimes.cuda.backend import Buffer, Graph, TimedStream
from profilers.runtimes.tensorrt import build as trt_build
from profilers.runtimes.tensorrt import layers as trt_layers
from profilers.runtimes.tensorrt.build import TENSORRT, TENSORRT_RTX, Product, Settings
from profilers.runtimes.tensorrt.loader_text import LOAD
from profilers.runtimes.tensorrt.manifest import (
    SUFFIX,
    BuiltEngine,
    check_manifest,
    check_runtime,
    read_engine,
    write_engine,
)
from profilers.session import default_feeds
from profilers.timing.card_state import card_sensor

if TYPE_CHECKING:
    import tensorrt as T

DTYPES = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}  # TensorRT's words that are not NumPy's
BUILD_ELSEWHERE = "; engines for another machine can be built here with hwnas export --target"


@dataclass
class TensorRt(Profiler):
    """TensorRT 10 and 11. `timing_cache` is a file that keeps kernel timings from build to build."""

    timing_cache: Path | None = None

    name: ClassVar[str] = TENSORRT.name
    device: ClassVar[str] = "cuda"
    precisions: ClassVar[tuple[str, ...]] = trt_build.PRECISIONS
    levels: ClassVar[tuple[str, ...]] = trt_build.LEVELS
    product: ClassVar[Product] = TENSORRT
    suffixes: ClassVar[tuple[str, ...]] = (SUFFIX, ".json")
    default_batch: ClassVar[int] = 64
    gpu: ClassVar[bool] = True

    def loader(self, file: str, options: Options) -> Loader:
        """Of the engine, through PyCUDA or torch."""
        package, version = self.product.package, self.status().version or "unknown"
        imports = f"numpy as np, {package} as trt"
        return Loader(f"{package} {version}, PyCUDA or torch", imports, LOAD.format(file=file), "run(feeds)")

    def open(self, path: Path, options: Options) -> Session:
        """A built engine, which brings its options, or an ONNX model."""
        return self.load_engine(read_engine(path)) if path.suffix == SUFFIX else self.load(path, options)

    def _compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        settings = Settings(options.precision, options.batch, gpus, options.optimization)
        return write_engine(folder, trt_build.build(self.product, model, settings))

    def device_name(self) -> str:
        """As the driver names it."""
        from profilers.timing.fingerprint import nvidia_gpu

        return nvidia_gpu()

    def with_build_cache(self, path: Path) -> Profiler:
        """Keeps kernel timings, with which a table's later engines are built faster and choose the same kernels."""
        return replace(self, timing_cache=path.with_suffix(".timing"))

    def load_engine(self, built: BuiltEngine) -> Session:
        """Run an engine that was built before, here or elsewhere.

        Raises:
            EngineUnavailable: no GPU, or the runtime is missing.
            BadInput: the engine is not the one of its manifest.
            FingerprintMismatch: it was built for another GPU or version; the field is named.
        """
        status, here = self.status(), trt_build.here(self.product)
        if not status.available:
            if status.version:  # the package is installed: a wrong version is reported before a missing GPU
                check_runtime(built.manifest, built.data, here)
            raise EngineUnavailable(status.reason, remedy=status.remedy)
        check_manifest(built.manifest, built.data, here)
        return open_session(self.product, built.data)

    def _status(self) -> Status:
        package = trt_build.package_status(self.product)
        there = choice.gpu_status()
        if not package.available or there.available:
            return package
        remedy = there.remedy + (BUILD_ELSEWHERE if self.product.ahead_of_time else "")
        return Status(False, package.version, there.reason, remedy)

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        settings = Settings(
            options.precision,
            options.batch,
            optimization=options.optimization,
            timing_cache=self.timing_cache,
            detailed=traced,
        )
        built = trt_build.build(self.product, model, settings)
        weights = trt_layers.node_weights(model) if traced else None
        return open_session(self.product, built.data, weights)


@dataclass
class TensorRtRtx(TensorRt):
    """TensorRT-RTX; its engines make one layer of a network, so there are no per-node times."""

    name: ClassVar[str] = TENSORRT_RTX.name
    traces: ClassVar[bool] = False
    levels: ClassVar[tuple[str, ...]] = ()
    product: ClassVar[Product] = TENSORRT_RTX


def open_session(product: Product, data: bytes, weights: dict[str, float] | None = None) -> TrtSession:
    """Deserialise an engine whose manifest was checked, and bind it; `weights` makes it a traced session.

    Raises:
        BadInput, EngineUnavailable: the runtime refuses the engine.
        MeasurementFailed: too little memory on the GPU, or the first run fails.
    """
    backend = choice.gpu()
    trt = trt_build.load_package(product)
    log = trt_build.logger(trt)
    runtime: T.Runtime = trt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise trt_build.refusal(product, log.errors)
    try:
        return TrtSession(trt, engine, runtime, weights)
    except backend.error as error:
        raise MeasurementFailed(f"{product.title} cannot run the engine: {error}") from error


class TrtSession(Session):
    """An engine with its context, buffers and stream. `graph` is None where no CUDA graph could be captured."""

    threads = 0

    def __init__(
        self, trt: Any, engine: T.ICudaEngine, runtime: T.Runtime | None, weights: dict[str, float] | None = None
    ) -> None:
        """Bind, run once (which makes late allocations), capture; `runtime` must outlive its engine.

        `weights` (see `trt_layers.node_weights`) makes it a traced session, which is not captured.
        """
        self.runtime = runtime
        self.engine: T.ICudaEngine = engine
        self.context: T.IExecutionContext = engine.create_execution_context()
        self.cuda = choice.gpu()
        self.timed_stream = TimedStream(self.cuda)
        self.clock = self.timed_stream.clock
        self.sensor = card_sensor()
        tensors = {name: self.tensor(name) for name in map(engine.get_tensor_name, range(engine.num_io_tensors))}
        enters = {name for name in tensors if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT}
        self.inputs = {name: tensor for name, tensor in tensors.items() if name in enters}
        self.outputs = {name: tensor for name, tensor in tensors.items() if name not in enters}
        self.buffers = {name: self.buffer(name, tensor) for name, tensor in tensors.items()}
        self._feed(default_feeds(self.inputs))
        self.enqueue()
        self.timed_stream.stream.synchronize()
        self.recorder = None if weights is None else self.trace(trt, weights)
        self.graph = self.capture() if weights is None else None

    def tensor(self, name: str) -> Tensor:
        """What the engine says of a tensor."""
        shape, kind = self.engine.get_tensor_shape(name), self.engine.get_tensor_dtype(name).name
        dims = [d if (d := shape[i]) >= 0 else None for i in range(len(shape))]
        return static_tensor(name, Declared(dims, DTYPES.get(kind, kind.lower())), 1)

    def buffer(self, name: str, tensor: Tensor) -> Buffer:
        """Memory for a tensor, bound to it."""
        made = self.cuda.buffer(tensor.shape, tensor.dtype)
        self.context.set_tensor_address(name, made.address)
        return made

    def capture(self) -> Graph | None:
        """The run as a CUDA graph, where TensorRT and the driver allow it."""
        try:
            return self.cuda.capture(self.timed_stream.stream, self.enqueue)
        except MeasurementFailed:
            return None

    def trace(self, trt: Any, weights: dict[str, float]) -> Any:
        """A profiler on the context, which reports every layer of every run from now on."""
        inspector: T.EngineInspector = self.engine.create_engine_inspector()
        self.nodes = trt_layers.onnx_nodes(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
        self.weights = weights
        self.runs: list[list[tuple[str, float]]] = []
        recorder = _recorder(trt)
        self.context.profiler = recorder
        return recorder

    def enqueue(self) -> None:
        """The network's work on the stream."""
        if not self.context.execute_async_v3(self.timed_stream.handle):
            raise MeasurementFailed("TensorRT could not enqueue the network")

    def run(self) -> None:
        """One run between two events, complete when it returns; the clock advances by what the GPU took."""
        self.timed_stream.run(self.enqueue if self.graph is None else self.graph.launch)
        if self.recorder is not None:
            self.runs.append(self.recorder.take())

    def _feed(self, feeds: Feeds) -> None:
        for name, values in feeds.items():
            self.buffers[name].upload(values, self.timed_stream.stream)

    def _fetch(self) -> dict[str, NDArray[Any]]:
        return {name: self.buffers[name].download(self.timed_stream.stream) for name in self.outputs}

    def node_times(self) -> list[dict[str, float]]:
        """By ONNX node; fused layers are divided as `profilers.runtimes.tensorrt.layers` says."""
        if self.recorder is None:
            return super().node_times()
        runs, self.runs = self.runs, []
        return [trt_layers.attribute(run, self.nodes, self.weights) for run in runs]

    def node_details(self) -> dict[str, NodeDetail]:
        """By ONNX node the layer that it is computed in, with all of the layer's nodes."""
        return {} if self.recorder is None else trt_layers.details(self.nodes)

    def close(self) -> None:
        """Free graph, context, buffers and engine, in that order."""
        buffers: dict[str, Buffer] = self.__dict__.pop("buffers", {})
        if buffers and self.graph is not None:
            self.graph.close()
        for name in ("context", "engine", "runtime", "recorder"):
            self.__dict__.pop(name, None)
        for buffer in buffers.values():
            buffer.close()


def _recorder(trt: Any) -> Any:
    """An IProfiler that keeps (layer, milliseconds) in order of execution."""

    class Recorder(trt.IProfiler):  # type: ignore[misc]  # the base is only known at run time
        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.layers: list[tuple[str, float]] = []

        def report_layer_time(self, layer: str, ms: float) -> None:
            self.layers.append((layer, ms))

        def take(self) -> list[tuple[str, float]]:
            taken, self.layers = self.layers, []
            return taken

    return Recorder()
