"""Each layer alone, repeated: hot caches, its own layout conversions; for comparison and for untraceable runtimes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import monotonic

import numpy as np

from lut.build.bench import Bench
from lut.build.records import MeasurementBatch
from lut.protocols import layers_at
from lut.table.classifier import classifiers
from profilers.base import TimingPlan
from profilers.timing import plans
from profilers.timing.conditions import merged
from profilers.timing.control_drift import usual_times
from profilers.timing.measurement import MeasuredGroup

_TOGETHER = 64


class Isolated:
    """One session a layer, timed in interleaved rounds."""

    name = "isolated"
    traced = False

    def measure(
        self,
        bench: Bench,
        resolution: int,
        seed: int,
        plan: TimingPlan = plans.LAYERS,
        earlier: Sequence[MeasurementBatch] = (),
    ) -> MeasurementBatch:
        """Every layer of one resolution once, and the classifier at several numbers of classes."""
        started = monotonic()
        every = [*layers_at(bench.space, resolution), *classifiers(bench.space)]
        layers = list({layer.key: layer for layer in every}.values())
        groups = []
        for start in range(0, len(layers), _TOGETHER):
            loads = {x.key: partial(bench.session, [x]) for x in layers[start : start + _TOGETHER]}
            with bench.loaded(loads, seed + start) as sessions:
                groups.append(bench.time(sessions, plan, seed + start))
            groups[-1].require(f"layers at {resolution} px")
        return _batch(f"{resolution} px", groups, monotonic() - started)


def _batch(name: str, groups: Sequence[MeasuredGroup], seconds: float) -> MeasurementBatch:
    """The layers of all groups, and what became of them on average."""
    measured = [m for group in groups for m in group.measured.values()]
    return MeasurementBatch(
        name,
        {m.id: [m.ms] for m in measured},
        [],
        usual_times([group.controls_ms for group in groups]).tolist(),
        seconds,
        sum(group.blocks for group in groups),
        sum(group.rejected for group in groups),
        [f"{key}: {reason}" for group in groups for key, reason in group.failed.items()],
        background_load=float(np.mean([group.background_load for group in groups])),
        cpu_clock_fraction=float(np.mean([group.cpu_clock_fraction for group in groups])),
        contended_fraction=float(np.mean([group.contended_fraction for group in groups])),
        conditions=merged([group.conditions for group in groups]),
        state=measured[0].state,
        estimator=measured[0].estimator,
    )
