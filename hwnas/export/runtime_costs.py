"""What else running an engine costs: images a second by batch, memory, and the time until the first answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hwnas.export.engines import MODEL, Engine, engine_files
from hwnas.export.quantity import Quantity
from hwnas.export.speed import rate
from hwnas.onnx.edit import is_ours, with_batch
from profilers.base import Options, Session, TimingPlan
from profilers.devices.faults import LinkLost
from profilers.devices.remote import RemoteProfiler
from profilers.errors import HwnasError
from profilers.files import read_bytes
from profilers.footprint import fresh_footprint
from profilers.onnx.model import read_model
from profilers.timing import plans
from profilers.timing.footprint import Footprint
from profilers.timing.measurement import Measurement, Measuring, measuring


@dataclass(frozen=True)
class CostPlan:
    """What is measured beside the latency; `CostPlan.FULL`, or `CostPlan.QUICK` for the latency alone.

    batches: of the throughput. starts: fresh processes for cold start and memory. plan: times the batches.
    interrupted: whether `validate` measures the latency in that state, too.
    """

    FULL: ClassVar[CostPlan]
    QUICK: ClassVar[CostPlan]
    batches: tuple[int, ...] = (1, 8, 64)
    starts: int = 3
    plan: TimingPlan = plans.THROUGHPUT
    interrupted: bool = True


CostPlan.FULL = CostPlan()
CostPlan.QUICK = CostPlan(batches=(), starts=0, interrupted=False)


def measure_costs(
    engine: Engine,
    options: Options,
    folder: Path,
    files: Sequence[str],
    costs: CostPlan = CostPlan.FULL,
    missing: str = "",
    of_batch: Callable[[int], bytes] | None = None,
) -> dict[str, Any]:
    """The datasheet's section: {"throughput": {batch: quantity}, "cold_start": …, "load": …, "peak_memory": …}.

    What cannot be measured here is a quantity without a value that says why (`missing`: why nothing can).
    `of_batch` gives the engine's ONNX for another batch, by default as far as that in the folder has a dynamic one.
    """
    rates = throughput(engine, options, of_batch or partial(_of_batch, folder), costs, missing)
    starts, reason = _starts(engine, options, folder, files, costs, missing)
    section: dict[str, Any] = {name: quantity.to_json() for name, quantity in _cold(starts, reason).items()}
    return {"throughput": {str(batch): quantity.to_json() for batch, quantity in rates.items()}, **section}


def _of_batch(folder: Path, batch: int) -> bytes:
    """Of an exported folder; BadInput where its model has another one."""
    model = read_bytes(folder / MODEL)
    return with_batch(model, batch) if is_ours(model) else read_model(model).pinned(batch=batch).data


def throughput(
    engine: Engine, options: Options, of_batch: Callable[[int], bytes], costs: CostPlan, missing: str = ""
) -> dict[int, Quantity]:
    """Images a second by batch, from the ONNX; an engine that is compiled for one batch has none."""
    if missing or engine.one_batch:
        reason = missing or "compiled for one batch; see its latency"
        return {batch: Quantity(None, "images/s", f"not measured: {reason}") for batch in costs.batches}
    if not costs.batches:
        return {}
    with measuring(options, place=engine.running.place) as bench:
        return bench.place.unit(lambda: _rates(bench, engine, options, of_batch, costs))


def _rates(
    bench: Measuring, engine: Engine, options: Options, of_batch: Callable[[int], bytes], costs: CostPlan
) -> dict[int, Quantity]:
    """All batches against each other."""
    with ExitStack() as stack:
        sessions, failed = _open(engine, options, of_batch, costs.batches, stack)
        group = bench.time({_name(batch): session for batch, session in sessions.items()}, costs.plan)
    failed |= {batch: group.failed[_name(batch)] for batch in sessions if _name(batch) in group.failed}
    missed = {batch: Quantity(None, "images/s", f"not measured: {reason}") for batch, reason in failed.items()}
    rates = {b: _rate(b, group.measured[_name(b)], engine, options) for b in sessions if b not in failed}
    return {batch: (missed | rates)[batch] for batch in costs.batches}


def _name(batch: int) -> str:
    return f"batch {batch}"


def _open(
    engine: Engine, options: Options, of_batch: Callable[[int], bytes], batches: Sequence[int], stack: ExitStack
) -> tuple[dict[int, Session], dict[int, str]]:
    """Sessions by batch, and of those that could not be opened the reason."""
    sessions: dict[int, Session] = {}
    failed: dict[int, str] = {}
    for batch in batches:
        try:
            session = engine.running.load(of_batch(batch), replace(options, batch=batch))
            sessions[batch] = stack.enter_context(session)
        except LinkLost:
            raise
        except (HwnasError, MemoryError) as error:
            failed[batch] = str(error) or "out of memory"
    return sessions, failed


def _rate(batch: int, found: Measurement, engine: Engine, options: Options) -> Quantity:
    how = f"measured: {engine.profiler}, batch {batch}, {options.threads} thread(s), {found.clock} time"
    return rate(found, batch, how)


def _starts(
    engine: Engine, options: Options, folder: Path, files: Sequence[str], costs: CostPlan, missing: str
) -> tuple[list[Footprint], str]:
    """One a fresh process, and why there are none."""
    if missing or not costs.starts:
        return [], missing or "left out"
    path, running = folder / engine_files(engine, files)[0], engine.running
    start = running.footprint if isinstance(running, RemoteProfiler) else partial(fresh_footprint, engine.profiler)
    try:
        return [start(path, options) for _ in range(costs.starts)], ""
    except HwnasError as error:
        return [], str(error)


def _cold(starts: Sequence[Footprint], reason: str) -> dict[str, Quantity]:
    """Medians, from the least to the most."""
    how = f"measured: median of {len(starts)} fresh processes, the runtime being imported"
    before = [s.before_mb for s in starts if s.before_mb is not None]
    memory = [s.peak_mb for s in starts if s.peak_mb is not None]
    with_what = f"measured: resident at most, {min(before, default=0):.0f} MB of it before the engine was loaded"
    return {
        "cold_start": _median([s.load_ms + s.first_run_ms for s in starts], "ms", f"{how}; load and first run", reason),
        "load": _median([s.load_ms for s in starts], "ms", how, reason),
        "peak_memory": _median(memory, "MB", with_what, reason or "the system does not say"),
    }


def _median(values: Sequence[float], unit: str, how: str, reason: str) -> Quantity:
    if not values:
        return Quantity(None, unit, f"not measured: {reason}")
    return Quantity(float(np.median(values)), unit, how, min(values), max(values))
