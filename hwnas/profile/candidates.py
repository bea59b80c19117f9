"""What a model is measured with: engines and precisions, the model as each takes it, or why it is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hwnas.onnx.open_model import OpenedModel
from hwnas.profile.facts import QUANTISERS, Refusal
from profilers.base import Feeds, NodeDetail, Options, Profiler, Session
from profilers.devices.hosts import profiler_at, profilers_at
from profilers.errors import BadInput, HwnasError
from profilers.onnx.madds import PRODUCTS
from profilers.onnx.parse import name_of, parse
from profilers.onnx.quantise import WEIGHTED, QuantConfig, insert_qdq
from profilers.registry import every_profiler

if TYPE_CHECKING:
    from torch import nn

ALL = "all"
SIMULATED = "simulated"
MADE_UP = "int8 with made-up ranges: its time is that of a calibrated model, its answers are not"


@dataclass(frozen=True)
class Candidate:
    """A model ready for a runtime; `module` where that takes the torch module itself, with inputs `feeds`."""

    profiler: Profiler
    options: Options
    model: bytes
    notes: tuple[str, ...] = ()
    module: nn.Module | None = None
    feeds: Feeds = field(default_factory=dict)

    def load(self, *, traced: bool = False) -> Session:
        """A session of it."""
        if self.module is None:
            return self.profiler.load(self.model, self.options, traced=traced)
        return self.profiler.load_module(self.module, self.feeds, self.options, traced=traced)

    def operators(self, details: Mapping[str, NodeDetail], runs: Sequence[Mapping[str, float]]) -> dict[str, str]:
        """The kinds of its parts by the names that a trace has: nodes of the ONNX, or submodules that do something."""
        if self.module is not None:
            return {name: detail.op for name, detail in details.items() if any(name in run for run in runs)}
        return {name_of(node): str(node.op_type) for node in parse(self.model).graph.node}

    @property
    def name(self) -> str:
        """As in `openvino bf16`."""
        return f"{self.profiler.name} {self.options.precision}"


def engines_of(name: str, host: str = "") -> list[Profiler]:
    """The runtime of that name, or all that measure a real device: this machine, or the one at `host`.

    Raises:
        BadInput: an unknown name. DeviceUnreachable: no such device.
    """
    if name != ALL:
        return [profiler_at(host, name)]
    every = profilers_at(host) if host else every_profiler()
    return [profiler for profiler in every if profiler.device != SIMULATED]


def precisions_of(name: str, engine: str, opened: OpenedModel) -> list[str]:
    """The precisions of `--precision`; none means all. By default the model's own on one engine, and all on all."""
    if not name and engine != ALL:
        return ["int8" if is_quantised(opened.model.data) else "fp32"]
    if not name:
        return []
    return [] if name == ALL else [part.strip() for part in name.split(",") if part.strip()]


def candidates(
    opened: OpenedModel, profilers: Iterable[Profiler], precisions: Sequence[str], options: Options
) -> Iterator[Candidate | Refusal]:
    """One for each runtime and precision.

    Args:
        opened: the model.
        profilers: the runtimes.
        precisions: those asked for; none: all that the runtime has here.
        options: threads, batch and state.
    """
    quantised = is_quantised(opened.model.data)
    for profiler in profilers:
        status = profiler.status()
        if not status.available:
            yield Refusal(profiler.name, "", str(HwnasError(status.reason, remedy=status.remedy)))
            continue
        for precision in precisions or profiler.supported_precisions():
            chosen = Options(options.threads, precision, options.batch, options.optimization, options.state)
            try:
                profiler.require(chosen)
                yield _candidate(opened, profiler, chosen, quantised)
            except HwnasError as error:
                yield Refusal(profiler.name, precision, str(error))


def is_quantised(model: bytes) -> bool:
    """Whether it has nodes that quantise."""
    return any(node.op_type in QUANTISERS for node in parse(model).graph.node)


def _candidate(opened: OpenedModel, profiler: Profiler, options: Options, quantised: bool) -> Candidate:
    data = opened.model.data
    if profiler.modules and opened.module is not None:
        return Candidate(profiler, options, data, module=opened.module, feeds=opened.model.noise())
    if quantised and options.precision != "int8":
        raise BadInput("a model that is quantised", "int8", "--precision int8")
    if quantised or options.precision != "int8":
        return Candidate(profiler, options, data)
    products = [node.op_type for node in parse(data).graph.node if node.op_type in PRODUCTS]
    if (count := sum(op in WEIGHTED for op in products)) <= len(products) / 2:
        got = f"int8 of a model of which {count} of {len(products)} products are {' or '.join(WEIGHTED)}"
        raise BadInput(got, "most of them: others stay in float32", "a model that is quantised already")
    return Candidate(profiler, options, insert_qdq(data, config=QuantConfig.for_runtime(profiler)), (MADE_UP,))
