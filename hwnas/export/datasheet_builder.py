"""What goes into a datasheet: one engine's report and measurements, put into the schema's sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hwnas.export import datasheet
from hwnas.export.build import Built, Target
from hwnas.export.engines import Engine, engine_files, snippet
from hwnas.export.exportable import Exportable, Tensors
from hwnas.export.parity import ParityReport
from hwnas.export.quantity import Quantity
from hwnas.export.speed import rate, tails
from hwnas.version import __version__
from profilers.base import INTERRUPTED, STATES, STEADY, Options
from profilers.timing.caches import disturbance
from profilers.timing.fingerprint import fingerprint
from profilers.timing.measurement import Measurement


def make_sheet(
    item: Exportable, target: Target, built: Built, report: ParityReport, measured: Mapping[str, Measurement]
) -> dict[str, Any]:
    """The content of a datasheet; `measured` by state, none where the engine could not be run here."""
    engine, options, files = target.engine, target.options, built.files
    inputs, outputs = item.ports(options.batch)
    if built.session is not None:
        inputs, outputs = built.session.inputs, built.session.outputs
    return {
        "name": item.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        **item.sections,
        "inputs": tensors(inputs),
        "outputs": tensors(outputs),
        "engine": {
            "name": engine.name,
            "profiler": engine.profiler,
            "file": engine_files(engine, files)[0],
            **vars(options),
            "dynamic_batch": target.dynamic,
        },
        "weights": f"{item.weights}; {built.note}" if built.note else item.weights,
        "warnings": list(item.warnings),
        "objectives": {key: quantity.to_json() for key, quantity in item.objectives.items()},
        "reference": report.reference,
        "latency": latencies(item, measured, engine, options, report.missing),
        "parity": {key: value.to_json() for key, value in report.parity.items()},
        "accuracy": _accuracy(report),
        "preprocessing": item.preprocessing,
        "files": datasheet.file_facts(built.folder, files),
        "fingerprint": fingerprint(engine.running, options).to_json(),
        "host": engine.host,
        "snippet": snippet(engine, options, inputs, files),
        "commands": ["hwnas validate .", "python run.py IMAGE" if item.preprocessing else "python run.py"],
    }


def tensors(found: Tensors) -> dict[str, Any]:
    """A section of the datasheet."""
    return {name: {"shape": list(t.shape), "dtype": t.dtype} for name, t in found.items()}


def _accuracy(report: ParityReport) -> dict[str, Any]:
    """The section, with the counts by class where there are labelled images."""
    found = {"dataset": report.dataset, "split": report.split, "top1": report.accuracy.to_json()}
    return found if report.classes is None else found | {"classes": report.classes.to_json()}


def latencies(
    item: Exportable, measured: Mapping[str, Measurement], engine: Engine, options: Options, missing: str
) -> dict[str, Any]:
    """The latency section: what is predicted and measured in the state `steady`, and under "interrupted" in that."""
    sections = {}
    for state in STATES:
        setting = replace(options, state=state)
        sections[state] = latency(
            item.predicted(engine.profiler, setting), measured.get(state), engine, setting, missing
        )
    return {**sections[STEADY], INTERRUPTED: sections[INTERRUPTED]}


def latency(
    guess: Quantity, found: Measurement | None, engine: Engine, options: Options, missing: str
) -> dict[str, Any]:
    """One state: predicted, measured, and whether they agree."""
    inside = timing = None
    measured = Quantity(None, "ms", f"not measured: {_unmeasured(engine, options, missing)}")
    throughput = replace(measured, unit="images/s")
    if found is not None:
        setting = f"{options.state}, batch {options.batch}, {options.threads} thread(s), {options.precision}"
        how = f"measured: {engine.profiler}, {setting}; {found.estimator}"
        measured = Quantity(found.ms, "ms", how, found.low, found.high)
        throughput = rate(found, options.batch, how)
        inside = within(guess.low, guess.high, found.ms)
        timing = timing_facts(found)
    figures = {"predicted": guess, "measured": measured, "throughput": throughput}
    return {name: figure.to_json() for name, figure in figures.items()} | {"within_interval": inside, "timing": timing}


def timing_facts(found: Measurement) -> dict[str, Any]:
    """How a latency was measured."""
    return {
        "state": found.state,
        "disturbance": disturbance() if found.state == INTERRUPTED else "",
        "estimator": found.estimator,
        "rounds": len(found.blocks),
        "rejected": found.rejected,
        "converged": found.converged,
        "median_ms": found.quantile(0.5),
        "p90_ms": found.quantile(0.9),
        "clock": found.clock,
        "contended_fraction": found.contended_fraction,
        "runs": 0 if found.samples is None else len(found.samples.runs),
        "percentiles": {name: bound.to_json() for name, bound in tails(found).items()},
        "conditions": found.conditions.to_json(),
    }


def _unmeasured(engine: Engine, options: Options, missing: str) -> str:
    if missing:
        return f"{missing}; measure it on the target with hwnas validate"
    return f"the state {options.state} is one of CPUs" if engine.gpu else "left out"


def within(low: float | None, high: float | None, ms: float) -> bool | None:
    """Whether a measurement lies in a prediction's interval; None without one."""
    return None if low is None or high is None else bool(low <= ms <= high)
