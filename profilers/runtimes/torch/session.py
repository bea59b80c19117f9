"""A torch module with its tensors bound beforehand: run, timed and traced, without gradients.

Inputs lie on the device in the precision that is computed in, so that a run copies and casts nothing; outputs come back
as float32 where they are floats of 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from profilers.base import Feeds, NodeDetail, Options, Session
from profilers.base import Tensor as Port
from profilers.errors import EngineUnavailable, MeasurementFailed
from profilers.runtimes.torch import trace
from profilers.runtimes.torch.levels import Call, Level, callable_of
from profilers.runtimes.torch.place import AddedClock, Cpu, Cuda
from profilers.session import default_feeds

if TYPE_CHECKING:
    import torch
    from torch import nn

SIXTEEN_BIT = ("bf16", "fp16")
NO_KERNELS = "torch's profiler shows no kernels (CUPTI is missing, or the driver leaves it to administrators)"
NO_RANGES = "torch's profiler shows no layers"
WHOLE_NETWORKS = "a table from a few whole networks: hwnas lut plan, lut measure, lut fit"


class TorchSession(Session):
    """A module on bound inputs; `notes` say what could not be done as it was asked for."""

    def __init__(
        self,
        module: nn.Module,
        inputs: Mapping[str, Port],
        options: Options,
        level: Level,
        place: Cpu | Cuda,
        *,
        outputs: Sequence[str] = (),
        feeds: Feeds | None = None,
        traced: bool = False,
    ) -> None:
        """`module` is this session's own; `outputs` are their names, by default as torch's exporters call them."""
        import torch

        self.place, self.clock, self.threads, self.sensor = place, place.clock, place.threads, place.sensor
        self.inputs, self.traced = dict(inputs), traced
        self.kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(options.precision)
        self.channels_last = level.channels_last
        self.layout = torch.channels_last if level.channels_last else torch.contiguous_format
        feeds = feeds or default_feeds(self.inputs)
        self.values = {name: self.tensor(values).to(place.device) for name, values in feeds.items()}
        self.network = place.quietly(lambda: self.prepared(module, level))
        place.quietly(self.forward)
        self.outputs = self.ports(outputs)
        self.launch = self.forward
        if traced:
            self.start_tracing()
        elif level.captured:
            self.capture(level)

    def tensor(self, values: NDArray[Any]) -> torch.Tensor:
        """Of an input's values, in what is computed in, still on the host."""
        import torch

        found = torch.from_numpy(np.array(values))
        found = found.to(self.kind) if self.kind and found.is_floating_point() else found
        return found.contiguous(memory_format=self.layout) if found.ndim == 4 else found

    def prepared(self, module: nn.Module, level: Level) -> Call:
        """What runs the module, which is put on the device in the precision and layout that are computed in."""
        import torch

        module = module.to(self.place.device, self.kind).eval().requires_grad_(False)
        module = module.to(memory_format=torch.channels_last) if level.channels_last else module
        self.kinds = trace.put_ranges(module) if self.traced else {}
        return self.called(module, level)

    def called(self, module: nn.Module, level: Level) -> Call:
        """As the level says."""
        return callable_of(module, tuple(self.values.values()), level, self.place.threads)

    def forward(self) -> None:
        """One forward pass."""
        import torch

        with torch.inference_mode():
            self.result = self.network(*self.values.values())

    def run(self) -> None:
        """One forward pass, or one launch of its graph."""
        if self.traced:
            self.run_traced()
        else:
            self.place.run(self.launch)

    def capture(self, level: Level) -> None:
        """Launch it as a CUDA graph from now on, if it can be captured."""
        assert isinstance(self.place, Cuda)
        try:
            self.launch = self.place.capture(self.forward)
        except MeasurementFailed as error:
            if level.required:
                raise EngineUnavailable(f"{error}", remedy="the level eager") from error
            self.notes = (f"launched operator by operator: {error}",)

    def ports(self, names: Sequence[str]) -> dict[str, Port]:
        """Names, shapes and types of the last run's outputs."""
        found = self.tensors()
        usual = ["output"] if len(found) == 1 else [f"output_{i}" for i in range(len(found))]
        arrays = zip(names or usual, map(self.array, found))
        return {name: Port(values.shape, values.dtype.name) for name, values in arrays}

    def tensors(self) -> list[torch.Tensor]:
        """The last run's outputs."""
        import torch
        from torch.utils._pytree import tree_flatten

        return [x for x in tree_flatten(self.result)[0] if isinstance(x, torch.Tensor)]

    def array(self, values: torch.Tensor) -> NDArray[Any]:
        """A copy on the host; floats of a 16-bit session as float32."""
        values = values.float() if self.kind and values.is_floating_point() else values
        return np.array(values.cpu().numpy(), order="C")

    def _feed(self, feeds: Feeds) -> None:
        for name, values in feeds.items():
            self.values[name].copy_(self.tensor(values))
        self.place.quietly(lambda: None)

    def _fetch(self) -> dict[str, NDArray[Any]]:
        return {name: self.array(values) for name, values in zip(self.outputs, self.tensors())}

    def start_tracing(self) -> None:
        """A first traced run, which is slow; on a GPU it tells whether kernels can be seen."""
        self.records: list[Any] = []
        self.seen: set[str] = set()
        self.cpu_clock = AddedClock()
        if not self.place.cuda:
            self.clock = self.cpu_clock  # starting the profiler is no part of a run
        self.run_traced()
        if not any(self.node_times()[0].values()):
            raise EngineUnavailable(NO_KERNELS if self.place.cuda else NO_RANGES, remedy=WHOLE_NETWORKS)

    def run_traced(self) -> None:
        """One recorded run, behind one that takes back the caches that starting the profiler has cost."""
        from torch.autograd.profiler import record_function

        def whole() -> None:
            with record_function(trace.MARK + trace.WHOLE):
                self.forward()

        with trace.recorded(self.records, cuda=self.place.cuda):
            self.place.quietly(self.forward)
            if isinstance(self.place, Cuda):
                self.place.run(whole)
            else:
                self.cpu_clock.run(whole)

    def node_times(self) -> list[dict[str, float]]:
        """By submodule; see `profilers.runtimes.torch.trace`."""
        if not self.traced:
            return super().node_times()
        records, self.records = self.records, []
        times = [trace.layer_times(trace.events_of(each), cuda=self.place.cuda) for each in records]
        self.seen |= {name for run in times for name in run}
        return times

    def node_details(self) -> dict[str, NodeDetail]:
        """Each submodule stands for the node of its name."""
        return {name: NodeDetail(kind, (name,)) for name, kind in self.kinds.items() if name in self.seen}

    def close(self) -> None:
        """Free the module, its tensors and its graph."""
        for name in ("launch", "network", "result", "values", "records"):
            self.__dict__.pop(name, None)
