"""Each layer alone, repeated: hot caches, its own layout conversions; for comparison and for untraceable runtimes."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic

from lut.bench import Bench, require
from lut.drift import usual_times
from lut.observe import Unit
from lut.protocols import layers_at
from profilers.base import TimingPlan

PLAN = TimingPlan(min_rounds=10, max_rounds=40, runs_per_block=5, relative_interval=0.03)
_TOGETHER = 64


class Isolated:
    """One session a layer, timed in interleaved rounds."""

    name = "isolated"
    traced = False

    def measure(self, bench: Bench, resolution: int, seed: int, plan: TimingPlan = PLAN) -> Unit:
        """Every layer of one resolution once."""
        started = monotonic()
        layers = layers_at(bench.space, resolution)
        observed: dict[str, list[float]] = {}
        failed: list[str] = []
        blocks, rejected, beats = 0, 0, []
        for start in range(0, len(layers), _TOGETHER):
            with ExitStack() as stack:
                some = layers[start : start + _TOGETHER]
                sessions = {layer.key: stack.enter_context(bench.load(bench.model([layer]))) for layer in some}
                timed = bench.time(sessions, plan, seed + start)
            require(timed, f"layers at {resolution} px")
            observed |= {key: [samples.ms] for key, samples in timed.samples.items()}
            failed += [f"{k}: {v}" for k, v in timed.failed.items()]
            blocks, rejected = blocks + timed.blocks, rejected + timed.rejected
            beats.append(timed.sentinels)
        seconds = monotonic() - started
        return Unit(f"{resolution} px", observed, [], usual_times(beats).tolist(), seconds, blocks, rejected, failed)
