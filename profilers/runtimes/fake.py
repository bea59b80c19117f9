"""A simulated device: deterministic times from a documented formula, on a clock that it advances instead of waiting.

A node takes, in milliseconds,

    max(MACs / (GMACS * 1e6 * speed), bytes / (GB_S * 1e6 * speed)) + NODE_MS

where bytes are those of its inputs, weights and outputs (float32; int8 takes a quarter of them and a quarter of the
time for MACs), and a run takes the sum of its nodes plus EDGE_MS (what a network pays once, whatever its depth), times
the device's slow drift, times 1 + |noise|: like a real machine's, the noise only adds time.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from profilers.base import NodeDetail, Options, Profiler, Session, Status
from profilers.errors import MeasurementFailed
from profilers.files import read_bytes
from profilers.onnx.madds import node_madds
from profilers.onnx.parse import Shapes, name_of, tensor_shapes
from profilers.onnx.ports import read_static

if TYPE_CHECKING:
    import onnx

GMACS = 20.0
GB_S = 10.0
NODE_MS = 0.002
EDGE_MS = 0.05
IDLE_PROBE_MS, CONTENDED_PROBE_MS = 0.025, 0.04
TICK_BITS = 80  # a tick of the clock is 2^-80 s: so short that every digit of a run's seconds is kept
VERSION = "1"


class Moment(float):
    """Seconds on the simulated clock. The time from one moment to another is exact, wherever the clock stands.

    The rounding of a float would depend on that, and a build that goes on, whose clock begins anew, would differ in its
    last digits from one that ran through.
    """

    __slots__ = ("ticks",)
    ticks: int

    @classmethod
    def at(cls, ticks: int) -> Moment:
        """So many ticks after the clock began."""
        moment = cls(math.ldexp(ticks, -TICK_BITS))
        moment.ticks = ticks
        return moment

    def __sub__(self, other: float) -> float:
        """Seconds between two moments."""
        if isinstance(other, Moment):
            return math.ldexp(self.ticks - other.ticks, -TICK_BITS)
        return float(self) - other


@dataclass(eq=False)
class FakeClock:
    """Time that passes only when advanced. `contended` is true of the seconds at which other work runs on the core."""

    contended: Callable[[float], bool] | None = None
    ticks: int = field(default=0, init=False)
    cpu_ticks: int = field(default=0, init=False)

    @property
    def seconds(self) -> float:
        """Since the clock began."""
        return self.wall()

    def wall(self) -> Moment:
        """Seconds."""
        return Moment.at(self.ticks)

    def cpu(self) -> Moment:
        """Seconds."""
        return Moment.at(self.cpu_ticks)

    def probe(self) -> float:
        """Milliseconds; time passes only while the core is contended."""
        if self.contended is None or not self.contended(self.seconds):
            return IDLE_PROBE_MS
        self.advance(CONTENDED_PROBE_MS / 1e3, CONTENDED_PROBE_MS / 1e3)
        return CONTENDED_PROBE_MS

    def advance(self, wall: float, cpu: float) -> None:
        """Let a run pass."""
        self.ticks += round(math.ldexp(wall, TICK_BITS))
        self.cpu_ticks += round(math.ldexp(cpu, TICK_BITS))


@dataclass
class Behaviour:
    """How the simulated device misbehaves; tests set it.

    noise            standard deviation of the relative noise
    drift            amplitude of a sine with a period of `drift_seconds`
    stolen           share of runs during which the process is descheduled for twice their time (CPU time is the same)
    fail_after       runs until a session raises
    hang             whether a run never returns
    traced_slowdown  factor of a traced run
    cold_ms          excess of the first run after another session's or after a disturbance; it falls to 1/e in
                     `warm_runs` runs of its own
    """

    noise: float = 0.01
    drift: float = 0.0
    drift_seconds: float = 10.0
    stolen: float = 0.0
    fail_after: int | None = None
    hang: bool = False
    traced_slowdown: float = 1.2
    cold_ms: float = 0.0
    warm_runs: float = 3.0
    seed: int = 0


@dataclass
class FakeCaches:
    """Which session's data the device's caches hold, and for how many runs."""

    owner: object = None
    runs: int = 0

    def enter(self, session: object) -> int:
        """The number of runs before this one during which the caches were the session's own."""
        self.runs = self.runs + 1 if self.owner is session else 0
        self.owner = session
        return self.runs


@dataclass
class Fake(Profiler):
    """The simulated device; all its sessions share one clock and the caches."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    clock: FakeClock = field(default_factory=FakeClock)
    caches: FakeCaches = field(default_factory=FakeCaches)

    name: ClassVar[str] = "fake"
    device: ClassVar[str] = "simulated"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "int8")

    def device_name(self) -> str:
        """A name that nobody takes for a real device."""
        return "simulated device"

    def _status(self) -> Status:
        return Status(True, VERSION, reason="simulated, not a device")

    def _load(self, model: bytes | Path, options: Options, traced: bool) -> Session:
        return FakeSession(model, options, traced, self)


class FakeSession(Session):
    """A model whose runs advance the clock."""

    clock: FakeClock

    def __init__(self, model: bytes | Path, options: Options, traced: bool, device: Fake) -> None:
        data = model if isinstance(model, bytes) else read_bytes(model)
        self.model, self.inputs, self.outputs = read_static(data, options.batch)
        self.options, self.traced, self.behaviour, self.clock = options, traced, device.behaviour, device.clock
        self.caches = device.caches
        self.threads = options.threads
        shapes = tensor_shapes(self.model, strict=True)
        graph = self.model.graph
        self.operators = {name_of(n): str(n.op_type) for n in graph.node}
        self.nodes = {name_of(n): _node_ms(n, shapes, options) for n in graph.node}
        self.ideal_ms = sum(self.nodes.values()) + EDGE_MS
        self.rng = np.random.default_rng([self.behaviour.seed, zlib.crc32(data), traced])
        self.runs = 0
        self.traces: list[dict[str, float]] = []

    def run(self) -> None:
        """Advance the clock by the time of a run."""
        how = self.behaviour
        if how.hang:
            time.sleep(1e6)
        if how.fail_after is not None and self.runs >= how.fail_after:
            raise MeasurementFailed(f"the simulated device fails after {how.fail_after} runs")
        self.runs += 1
        factor = self.factor()
        cold = how.cold_ms * math.exp(-self.caches.enter(self) / how.warm_runs)
        seconds = (self.ideal_ms + cold) * factor / 1e3
        stolen = 2 * seconds if self.rng.random() < how.stolen else 0.0
        self.clock.advance(seconds + stolen, seconds * self.threads)
        if self.traced:
            share = 1 + cold / self.ideal_ms
            self.traces.append({name: ms * factor * share for name, ms in self.nodes.items()})

    def factor(self) -> float:
        """Drift, noise and tracing of the next run."""
        how = self.behaviour
        factor = 1 + how.drift * math.sin(2 * math.pi * self.clock.wall() / how.drift_seconds)
        factor *= 1 + how.noise * abs(self.rng.standard_normal())
        return factor * how.traced_slowdown if self.traced else factor

    def interrupt(self) -> None:
        """Leave the caches to other work."""
        self.caches.owner = None

    def _fetch(self) -> dict[str, NDArray[Any]]:
        """ONNX Runtime's outputs, since only the times are simulated."""
        import onnxruntime

        session = onnxruntime.InferenceSession(self.model.SerializeToString(), providers=["CPUExecutionProvider"])
        return dict(zip(self.outputs, map(np.asarray, session.run(None, dict(self.feeds))), strict=True))

    def node_times(self) -> list[dict[str, float]]:
        """The formula's times, multiplied by the run's factor."""
        if not self.traced:
            return super().node_times()
        traces, self.traces = self.traces, []
        return traces

    def node_details(self) -> dict[str, NodeDetail]:
        """Every node as it is: nothing is fused."""
        return {name: NodeDetail(op, (name,)) for name, op in self.operators.items()}


def _node_ms(node: onnx.NodeProto, shapes: Shapes, options: Options) -> float:
    """The formula of one node; where nothing is multiplied, an element of the output counts as one MAC."""
    elements = sum(math.prod(shapes.get(name, ())) for name in (*node.input, *node.output) if name)
    width = 1 if options.precision == "int8" else 4
    speed = options.threads * 4 / width
    macs = node_madds(node, shapes) or math.prod(shapes.get(node.output[0], ()))
    return max(macs / (GMACS * 1e6 * speed), elements * width / (GB_S * 1e6)) + NODE_MS
