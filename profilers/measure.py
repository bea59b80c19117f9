"""One model, timed: pin, load, time. Everything travels by value, so `run_limited` can run it in another process."""

from __future__ import annotations

from pathlib import Path

from profilers.base import Failure, Options, Samples, TimingPlan
from profilers.errors import MeasurementFailed
from profilers.isolate import run_limited
from profilers.registry import get_profiler
from profilers.timing import plans
from profilers.timing.measurement import measuring


def measure(
    engine: str, model: bytes | Path, options: Options | None = None, plan: TimingPlan | None = None
) -> Samples:
    """Time one model on this machine, in the options' state.

    Raises:
        BadInput: an unknown engine, options that it does not have, or a model that it refuses.
        EngineUnavailable: it does not work here.
        MeasurementFailed: the model cannot run, or too few of its blocks were undisturbed.
    """
    options = options or Options()
    profiler = get_profiler(engine)
    with measuring(options) as bench, profiler.load(model, options) as session:
        result = bench.time({"model": session}, plan or plans.ENGINE)["model"]
    if isinstance(result, Failure):
        raise MeasurementFailed(f"the model cannot be timed on {engine}: {result.reason}")
    return result


def measure_limited(engine: str, model: bytes | Path, options: Options, plan: TimingPlan, *, seconds: float) -> Samples:
    """`measure` in a process that is killed after `seconds`: for models and runtimes that may hang or crash."""
    return run_limited(measure, engine, model, options, plan, seconds=seconds)
