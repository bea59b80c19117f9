"""Each layer alone, repeated: hot caches, its own layout conversions; for comparison and for untraceable runtimes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import monotonic

import numpy as np

from lut.build.bench import Bench, Timed, require
from lut.build.control_drift import usual_times
from lut.build.records import Unit
from lut.protocols import layers_at
from lut.table.classifier import classifiers
from profilers.base import TimingPlan
from profilers.timing import plans

_TOGETHER = 64


class Isolated:
    """One session a layer, timed in interleaved rounds."""

    name = "isolated"
    traced = False

    def measure(
        self, bench: Bench, resolution: int, seed: int, plan: TimingPlan = plans.LAYERS, earlier: Sequence[Unit] = ()
    ) -> Unit:
        """Every layer of one resolution once, and the classifier at several numbers of classes."""
        started = monotonic()
        every = [*layers_at(bench.space, resolution), *classifiers(bench.space)]
        layers = list({layer.key: layer for layer in every}.values())
        observed: dict[str, list[float]] = {}
        failed: list[str] = []
        done: list[Timed] = []
        for start in range(0, len(layers), _TOGETHER):
            loads = {x.key: partial(bench.session, [x]) for x in layers[start : start + _TOGETHER]}
            with bench.loaded(loads, seed + start) as sessions:
                timed = bench.time(sessions, plan, seed + start)
            require(timed, f"layers at {resolution} px")
            observed |= {key: [samples.ms] for key, samples in timed.samples.items()}
            failed += [f"{k}: {v}" for k, v in timed.failed.items()]
            done.append(timed)
        load, busy, shared = (float(np.mean([getattr(t, k) for t in done])) for k in ("load", "busy", "shared"))
        return Unit(
            f"{resolution} px", observed, [], usual_times([t.sentinels for t in done]).tolist(), monotonic() - started,
            sum(t.blocks for t in done), sum(t.rejected for t in done), failed, load=load, busy=busy,
            shared=shared,
        )  # fmt: skip
