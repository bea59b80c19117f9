"""What an engine costs besides its runs: cold start and memory, each measured in a fresh process."""

from __future__ import annotations

from pathlib import Path

from profilers.base import Options
from profilers.isolate import run_limited
from profilers.registry import get_profiler, place
from profilers.timing.footprint import Footprint, footprint

SECONDS = 120.0


def fresh_footprint(engine: str, model: Path, options: Options, *, seconds: float = SECONDS) -> Footprint:
    """`footprint` in a new process; MeasurementFailed if it dies or takes longer than `seconds`."""
    return run_limited(_footprint, place(engine), model.resolve(), options, seconds=seconds)


def _footprint(engine: str, model: Path, options: Options) -> Footprint:
    return footprint(get_profiler(engine), model, options)
