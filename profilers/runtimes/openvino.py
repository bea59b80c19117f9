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

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from profilers.base import Feeds, Loader, NodeDetail, Options, Profiler, Session, Status, Tensor, not_importable
from profilers.errors import BadInput
from profilers.onnx.fusion import NodeNames, groups
from profilers.onnx.nodes import read_nodes
from profilers.onnx.shapes import Declared, static, static_tensor
from profilers.session import default_feeds
from profilers.telemetry import import_openvino
from profilers.timing.pinning import unpinned

TYPES = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}  # int8: the model arrives quantised
CAPABILITIES = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}
WINDOW = 8
BIASLESS = "/WithoutBiases"  # what OpenVINO appends to a node's name
TRUNCATED_MS = 0.0005
NOT_THERE = ("undef", "unknown")  # implementation of fused nodes; of inputs, outputs and reshapes

SIXTEEN_BIT = ("bf16", "fp16")  # precisions that need weights of 16 bits only
_LOAD = """\
hints = {{"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": {threads}, "INFERENCE_PRECISION_HINT": "{hint}"}}
model = ov.Core().compile_model(here / "{file}", "CPU", hints)"""
_CALL = "{port.get_any_name(): values for port, values in model(feeds).items()}"
_making = threading.Lock()
_core: Any = None


class OpenVino(Profiler):
    """The CPU plug-in, with the precisions that the device reports."""

    name: ClassVar[str] = "openvino"
    supports_parallel_load: ClassVar[bool] = True
    precisions: ClassVar[tuple[str, ...]] = tuple(TYPES)
    suffixes: ClassVar[tuple[str, ...]] = (".xml", ".bin")

    def loader(self, file: str, options: Options) -> Loader:
        """Of the IR, on the CPU."""
        load = _LOAD.format(threads=options.threads, hint=TYPES[options.precision], file=file)
        return Loader("openvino", "numpy as np, openvino as ov", load, _CALL)

    def _compile(self, model: bytes, options: Options, gpus: tuple[str, ...], folder: Path) -> list[str]:
        """The IR, which is optimised when it is loaded, on any CPU; weights of 16 bits where that is computed in."""
        self.require(options)
        graph = read_graph(the_core(), model)
        import_openvino().save_model(graph, folder / "model.xml", compress_to_fp16=options.precision in SIXTEEN_BIT)
        return ["model.xml", "model.bin"]

    def _status(self) -> Status:
        try:
            openvino = import_openvino()
        except (ImportError, OSError) as error:
            return not_importable("openvino", error, "pip install 'hwnas[openvino]'")
        return Status(True, openvino.__version__)

    def supported_precisions(self) -> tuple[str, ...]:
        """Those that the CPU computes in natively."""
        found = the_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return tuple(p for p in self.precisions if CAPABILITIES[p] in found)

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        return _OvSession(model, options, traced)


def the_core() -> Any:
    """OpenVINO's `Core`, one for this process, until it ends.

    Each gives the thread that makes it a stack for signals, and takes it away at its own end (OpenVINO 2026.4). Of two
    that end in another order than that of making, the thread is left with one that is gone: its next signal, Ctrl-C
    too, would be a segmentation fault.

    The first question to its CPU part fixes how many cores it will ever use: those of the thread that asks.
    """
    global _core
    with _making:
        if _core is None:
            with unpinned():
                core = import_openvino().Core()
                core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            _core = core
        return _core


class _OvSession(Session):
    def __init__(self, model: bytes | Path, options: Options, traced: bool) -> None:
        ov, core = import_openvino(), the_core()
        self.model, self.traced, self.threads = model, traced, options.threads
        graph = read_graph(core, model)
        names = tuple(_names(ports, model) for ports in (graph.inputs, graph.outputs))
        self.inputs = _set_batch(graph, names[0], options.batch)
        self.compiled = core.compile_model(graph, "CPU", _properties(options, traced))
        self.request = self.compiled.create_infer_request()
        self.runs = 0
        self.feeds = default_feeds(self.inputs)
        for i, array in enumerate(self.feeds.values()):
            self.request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
        self.bind_outputs(names[1])
        if traced:
            self.graph = NodeNames(read_nodes(model).node)
            self.names = renamed(self.originals(), self.graph) | _producers(model)
            self.infer_once()  # the first runs are cold; the counters cannot be reset, only subtracted
            self.infer_once()
            self.snapshots = [self.snapshot()]

    def bind_outputs(self, names: list[str]) -> None:
        """Of a dynamic output the shape is that of a first run; it stays the runtime's own buffer."""
        ov = import_openvino()

        ports = self.compiled.outputs
        if any(port.get_partial_shape().is_dynamic for port in ports):
            self.infer_once()
        self.outputs = {}
        self.results = {}
        for i, (name, port) in enumerate(zip(names, ports)):
            kind, shape = _dtype(port), tuple(self.request.get_output_tensor(i).shape)
            self.outputs[name] = static_tensor(name, Declared(shape, kind), 1)
            if port.get_partial_shape().is_static:
                self.results[name] = np.zeros(shape, kind)
                self.request.set_output_tensor(i, ov.Tensor(self.results[name], shared_memory=True))

    def infer_once(self) -> None:
        """One synchronous inference."""
        self.request.infer()
        self.runs += 1

    def run(self) -> None:
        """One synchronous inference; every eighth of a traced session reads the counters too."""
        self.request.infer()
        if self.traced:
            self.runs += 1
            if self.runs - self.snapshots[-1][0] == WINDOW:
                self.snapshots.append(self.snapshot())

    def _feed(self, feeds: Feeds) -> None:
        for name, values in feeds.items():
            self.feeds[name][...] = values

    def _fetch(self) -> dict[str, NDArray[Any]]:
        tensors = {name: self.request.get_output_tensor(i).data for i, name in enumerate(self.outputs)}
        return {name: np.array(self.results.get(name, data)) for name, data in tensors.items()}

    def node_times(self) -> list[dict[str, float]]:
        """By node; each run has the mean of its window of about eight runs (see the module's docstring)."""
        if not self.traced:
            return super().node_times()
        if self.runs > self.snapshots[-1][0]:
            short = self.runs - self.snapshots[-1][0] < WINDOW // 2 and len(self.snapshots) > 1
            self.snapshots[-1 if short else len(self.snapshots) :] = [self.snapshot()]
        windows, self.snapshots = self.snapshots, self.snapshots[-1:]
        times: list[dict[str, float]] = []
        for (start, before), (end, after) in zip(windows, windows[1:]):
            times += [window_mean(before, start, after, end)] * (end - start)
        return times

    def node_details(self) -> dict[str, NodeDetail]:
        """From the names that the executed graph keeps of the original one."""
        if not self.traced:
            return super().node_details()
        return details(self.request.get_profiling_info(), self.names, self.originals(), self.graph)

    def originals(self) -> dict[str, list[str]]:
        """By executed node the names of those that it is made of, as OpenVINO keeps them."""
        ran = {op.get_friendly_name(): op.get_rt_info() for op in self.compiled.get_runtime_model().get_ordered_ops()}
        return {name: str(info["originalLayersNames"].value).split(",") for name, info in ran.items()}

    def snapshot(self) -> tuple[int, dict[str, float]]:
        """Runs so far and the running averages by node."""
        return self.runs, parse_counters(self.request.get_profiling_info(), self.names)

    def close(self) -> None:
        """Free the request and with it the compiled model."""
        for name in ("request", "compiled"):
            self.__dict__.pop(name, None)


def read_graph(core: Any, model: bytes | Path) -> Any:
    """OpenVINO's graph; BadInput for a model that it refuses."""
    try:
        return core.read_model(model if isinstance(model, bytes) else str(model))
    except Exception as error:  # RuntimeError, or one of openvino's own
        raise BadInput(f"OpenVINO refuses the model: {error}", "an ONNX model") from error


def renamed(original: dict[str, list[str]], graph: NodeNames) -> dict[str, str]:
    """Executed nodes with a name of OpenVINO's own, such as `Multiply_13126`, to the last ONNX node in them."""
    new = {name: old for name, old in original.items() if not graph.exact(name.split(BIASLESS)[0])}
    found = {name: list(filter(None, map(graph.exact, old))) for name, old in new.items()}
    return {name: max(nodes, key=graph.order.__getitem__) for name, nodes in found.items() if nodes}


def parse_counters(infos: list[Any], names: dict[str, str]) -> dict[str, float]:
    """Average milliseconds by node; those of reorders and unknown nodes are attributed to the next known one.

    `names` maps output tensors to ONNX nodes, because OpenVINO names the last node after the model's output. Quantised
    models have subgraphs with names such as `Subtract_1406`. Without `names`, all nodes count as known.
    """
    times: dict[str, float] = {}
    for group, name in _groups(infos, names):
        times[name] = times.get(name, 0.0) + sum(map(_ms, group))
    return times


def details(
    infos: list[Any], names: dict[str, str], original: dict[str, list[str]], graph: NodeNames
) -> dict[str, NodeDetail]:
    """By ONNX node as in `parse_counters`; `original` has the names of the nodes that each executed one is made of."""
    ends: dict[str, list[str]] = {}
    operators: dict[str, list[Any]] = {}
    for group, name in _groups(infos, names):
        known = (graph.exact(old) for info in group for old in original.get(info.node_name, ()))
        ends.setdefault(name, [name] if graph.exact(name) else []).extend(filter(None, known))
        operators.setdefault(name, []).extend(group)
    fused = graph.fused(ends)
    return {
        name: NodeDetail(
            " + ".join(dict.fromkeys(info.node_type for info in group if _known(info, names))),
            fused[name],
            tuple(info.node_type for info in group if not _known(info, names)),
        )
        for name, group in operators.items()
    }


def _groups(infos: list[Any], names: dict[str, str]) -> Iterator[tuple[list[Any], str]]:
    """The executed nodes that were not fused, each known one with the others before it, and its name."""
    return groups(
        (info, (names.get(name := _short(info), name)) if _known(info, names) else "")
        for info in infos
        if info.exec_type.split("_")[0] not in NOT_THERE
    )


def _known(info: Any, names: dict[str, str]) -> bool:
    return info.node_type != "Reorder" and (not names or _short(info) in {*names, *names.values()})


def _short(info: Any) -> str:
    return str(info.node_name.split(BIASLESS)[0])


def _ms(info: Any) -> float:
    measured = float(info.real_time.total_seconds() * 1e3)
    return measured + TRUNCATED_MS if measured or info.node_type != "Reorder" else 0.0


def window_mean(before: dict[str, float], start: int, after: dict[str, float], end: int) -> dict[str, float]:
    """Mean milliseconds of the runs start+1 … end from the running averages after `start` and after `end` runs."""
    return {name: max((end * ms - start * before.get(name, 0.0)) / (end - start), 0.0) for name, ms in after.items()}


def _producers(model: bytes | Path) -> dict[str, str]:
    return {output: node.name or output for node in read_nodes(model).node for output in node.output}


def _names(ports: list[Any], model: bytes | Path) -> list[str]:
    """Their names in the model; a tensor that has several in OpenVINO's graph is looked up in the ONNX."""
    if all(len(port.get_names()) == 1 for port in ports):
        return [port.get_any_name() for port in ports]
    graph = read_nodes(model)
    wanted = [*graph.input, *graph.output]
    return [next((n for n in wanted if n in port.get_names()), port.get_any_name()) for port in ports]


def _set_batch(graph: Any, names: list[str], batch: int) -> dict[str, Tensor]:
    """Check the graph and give it its static shape; returns the inputs."""
    shapes = [[None if d.is_dynamic else d.get_length() for d in port.get_partial_shape()] for port in graph.inputs]
    kinds = map(_dtype, graph.inputs)
    inputs = static(dict(zip(names, map(Declared, shapes, kinds))), batch)
    graph.reshape({port: list(t.shape) for port, t in zip(graph.inputs, inputs.values())})
    return inputs


def _dtype(port: Any) -> str:
    """As NumPy names it; OpenVINO's own word where NumPy has none."""
    kind = port.get_element_type()
    try:
        return str(np.dtype(kind.to_dtype()))
    except RuntimeError:
        return str(kind.get_type_name())


def _properties(options: Options, traced: bool) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(options.threads),
        "INFERENCE_PRECISION_HINT": TYPES[options.precision],
        "ENABLE_CPU_PINNING": False,  # pinned from outside, like every runtime
        "PERF_COUNT": traced,
    }
