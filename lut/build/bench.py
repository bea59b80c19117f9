"""Where a table is measured: a space, a way to write its models, a runtime; opened, it times networks and layers.

Control models are fixed networks that are timed with every group, so that all groups can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from lut.protocols import Layer, Space, Writer
from profilers.base import Options, Profiler, Session, TimingPlan
from profilers.onnx.quantise import QuantConfig, insert_qdq
from profilers.progress import Progress
from profilers.timing import plans
from profilers.timing.core_groups import ONE_GROUP
from profilers.timing.here import HERE
from profilers.timing.measurement import Load, MeasuredGroup, Measuring, measuring

N_CONTROLS = 3  # one alone is as noisy as what it corrects
TOGETHER = 18  # networks timed against each other: enough to interleave, few enough for small memories


@dataclass(frozen=True)
class Network:
    """An architecture with its number of classes; None where it has as many as the space."""

    arch: Any
    classes: int | None = None

    @property
    def id(self) -> str:
        """The architecture's, and the number of classes where it is stated."""
        return str(self.arch.id) if self.classes is None else f"{self.arch.id}-{self.classes}"

    def layers(self, space: Space) -> Sequence[Layer]:
        """Its layers, in order."""
        return (space if self.classes is None else space.with_classes(self.classes)).layers(self.arch)


@dataclass(frozen=True)
class Workbench:
    """What is measured and with what: a space, the writer of its models, a runtime and its options."""

    space: Space
    to_onnx: Writer
    profiler: Profiler
    options: Options = field(default_factory=Options)

    def model(self, layers: Sequence[Layer]) -> bytes:
        """The ONNX model that the runtime is given at these options.

        Quantised models have made-up ranges: integer kernels take the same time whatever the scales are.
        """
        model = self.to_onnx(layers, batch=self.options.batch)
        if self.options.precision != "int8":
            return model
        return insert_qdq(model, config=QuantConfig.for_runtime(self.profiler))

    def session(self, layers: Sequence[Layer], *, traced: bool = False) -> Session:
        """The model of some layers written and loaded; close it."""
        return self.profiler.load(self.model(layers), self.options, traced=traced)


@dataclass(frozen=True)
class _Share:
    """Makes one call of the timing loop one step of the whole work."""

    whole: Progress
    sessions: int

    def advance(self, amount: float = 1) -> None:
        self.whole.advance(amount / self.sessions)

    def note(self, text: str) -> None:
        self.whole.note(text)

    def reduce_total(self, amount: float) -> None:
        self.whole.reduce_total(amount / self.sessions)


@dataclass(frozen=True, kw_only=True)
class Bench(Workbench):
    """A workbench at work, opened by `open_bench`."""

    measuring: Measuring
    progress: Progress | None = None

    def loaded(
        self, loads: Mapping[str, Load], seed: int, *, controls: int | None = None
    ) -> AbstractContextManager[dict[str, Session]]:
        """Sessions with the control models among them, as `Measuring.loaded`."""
        return self.measuring.loaded(loads, seed, controls=controls)

    def time(
        self, sessions: Mapping[str, Session], plan: TimingPlan, seed: int, most_runs: Mapping[str, int] | None = None
    ) -> MeasuredGroup:
        """Time what is `loaded` in interleaved rounds, the control models among the others."""
        share = None if self.progress is None else _Share(self.progress, len(sessions))
        return self.measuring.time(sessions, replace(plan, seed=seed), most_runs=most_runs, progress=share)

    def networks(self, networks: Sequence[Network], plan: TimingPlan, seed: int) -> MeasuredGroup:
        """Measure networks end to end against each other, by id; one that is named twice is measured once."""
        loads = {network.id: partial(self.session, network.layers(self.space)) for network in networks}

        def unit() -> MeasuredGroup:
            with self.loaded(loads, seed) as sessions:
                return self.time(sessions, plan, seed)

        return self.measuring.place.unit(unit)


@contextmanager
def open_bench(workbench: Workbench, progress: Progress | None = None) -> Iterator[Bench]:
    """Pin the threads, choose the control models, and learn how long models take to settle.

    Raises:
        EngineUnavailable: the runtime does not work here.
        BadInput: options that it does not have.
    """
    profiler, options = workbench.profiler, workbench.options
    profiler.require(options)
    models = [workbench.model(workbench.space.layers(arch)) for arch in control_archs(workbench.space)]
    controls = [partial(profiler.load, model, options) for model in models]
    place = profiler.place or HERE
    parallel = place.core_groups(options.threads) if profiler.supports_parallel_load else ONE_GROUP
    with measuring(options, controls, parallel, place) as measurement:
        bench = Bench(**vars(workbench), measuring=measurement, progress=progress)
        place.unit(partial(_learn, bench))
        yield bench


def _learn(bench: Bench) -> None:
    """How long models take to settle, from the controls and the smallest networks, which take longest."""
    small = bench.space.layers(bench.space.extremes()[0])
    loads = {f"small-{i}": partial(bench.session, small) for i in range(N_CONTROLS)}
    with bench.loaded(loads, 0) as sessions:
        bench.measuring.learn(sessions, plans.NETWORKS)


def control_archs(space: Space) -> list[Any]:
    """Random networks, always the same: the smallest network is twice as sensitive to contention for the caches."""
    return list(space.decode(space.sample(N_CONTROLS, np.random.default_rng(0))))
