"""The way of one export: build every engine, check it, time all of them together, write each folder in one step.

Exportable ─► (the choice among all engines, for "auto") ─► engine ─► parity, accuracy, latency, runtime costs
─► datasheet
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hwnas.export import answers, datasheet, engine_selection
from hwnas.export.build import Built, PrecisionVariants, Target, build, put, temporary
from hwnas.export.datasheet_builder import make_sheet
from hwnas.export.engines import get_engine
from hwnas.export.exportable import Exportable
from hwnas.export.judge import Limits
from hwnas.export.parity import ParityReport, verify_outputs
from hwnas.export.quantise import TOLERANCE
from hwnas.export.runtime_costs import CostPlan, measure_costs
from profilers.base import STATES, STEADY, Options, TimingPlan
from profilers.devices.hosts import place_at
from profilers.errors import BadInput
from profilers.interruption import leaving
from profilers.progress import track
from profilers.timing import plans
from profilers.timing.measurement import Measurement, Measuring, measuring

AUTO = "auto"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    engine       a format, or "auto" for the fastest of all within `max_drop`
    options      how it runs; for "auto" the precision is not looked at
    also         engines that "auto" tries although compiling them takes minutes
    gpus         compute capabilities such as "sm86" that TensorRT-RTX builds for
    dynamic      an engine of any batch; that of `options` is the one that is measured
    max_drop     points of top-1 that "auto" may lose
    tolerance    largest difference that "auto" may make where no labelled images judge it (see `engine_selection`)
    calibration  images or arrays for int8; the data set's by default
    references   what "auto" times torch with: "eager" and "compiled"
    plan, costs  of the timing, and of what is measured beside it
    command      the command line, for the datasheet
    weights      what they come from, so that those of another training are noticed (see `RunSource.weights`)
    host         the device that engines are compiled, checked and measured on; "" is this machine
    """

    engine: str = "onnxruntime"
    options: Options = field(default_factory=Options)
    gpus: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    dynamic: bool = False
    max_drop: float = engine_selection.MAX_DROP
    tolerance: float = engine_selection.TOLERANCE
    calibration: Path | None = None
    references: tuple[str, ...] = ("eager",)
    plan: TimingPlan = plans.ENGINE
    costs: CostPlan = CostPlan.FULL
    command: str = ""
    weights: str = ""
    host: str = ""

    @property
    def may_change(self) -> float:
        """% of images that quantisation may move to another class: what "auto" may lose anyway, or the usual."""
        return self.max_drop if self.engine == AUTO else TOLERANCE

    def to_json(self) -> dict[str, Any]:
        """What decides the engine: a folder of the same request and network need not be exported again."""
        calibration = str(self.calibration) if self.calibration else None
        drop, tolerance = (self.max_drop, self.tolerance) if self.engine == AUTO else (None, None)
        return {
            "engine": self.engine,
            **asdict(self.options),
            "gpus": list(self.gpus),
            "also": list(self.also),
            "max_accuracy_drop": drop,
            "calibration": calibration,
            "weights": self.weights,
            "dynamic_batch": self.dynamic,
            "tolerance": tolerance,
            "host": self.host,
        }


@dataclass
class _Built:
    """An item whose engine is built and checked; `measured` by state."""

    item: Exportable
    variants: PrecisionVariants
    target: Target
    built: Built
    selection: engine_selection.EngineSelection | None
    report: ParityReport
    measured: dict[str, Measurement] = field(default_factory=dict)


def export(items: Mapping[str, Exportable], request: Request, out: Path) -> dict[str, dict[str, Any]]:
    """Export each item to `out / name` (to `out` itself where the name is ""), timed against each other.

    What was exported there before is replaced at the end, in one step; where anything fails, nothing is written.

    Returns:
        The datasheet of each, by name.

    Raises:
        EngineUnavailable, MeasurementFailed: the engine cannot run here, or could not be timed.
        BadInput: unknown engine or precision, no images for int8, or a folder that holds something else.
    """
    check_request(request)
    for name in items:
        _check_target(out / name)
    place = place_at(request.host) if request.host else None
    with leaving(str), measuring(request.options, place=place) as bench, ExitStack() as stack:
        work = _build_all(items, request, out, bench, stack)
        _time(work, request.plan, bench)
        sheets = _write_all(work, request)
        for name, done in work.items():
            put(done.built.folder, out / name)
    return sheets


def check_request(request: Request) -> None:
    """BadInput for an engine that does not exist, limits below 0, or what an engine is not built for."""
    Limits(request.max_drop, request.tolerance)
    gpu = request.engine != AUTO and get_engine(request.engine).gpu
    if request.gpus and not gpu:
        raise BadInput(f"--target {request.gpus[0]} for engine {request.engine}", "engines compiled for a GPU")
    if request.dynamic and request.engine != AUTO and get_engine(request.engine).one_batch:
        raise BadInput(f"--batch dynamic for engine {request.engine}", "a number: it is compiled for one batch")


def _build_all(
    items: Mapping[str, Exportable], request: Request, out: Path, bench: Measuring, stack: ExitStack
) -> dict[str, _Built]:
    work = {}
    with track(len(items), "building and checking engines") as bar:
        for name, item in items.items():
            folder = stack.enter_context(temporary(out / name))
            work[name] = _build(item, request, folder, bench, stack)
            bar.advance()
    return work


def _build(item: Exportable, request: Request, folder: Path, bench: Measuring, stack: ExitStack) -> _Built:
    """One engine, chosen among all where none is named, and compared with torch."""
    variants, selection = PrecisionVariants(item, request.calibration, request.may_change), None
    if request.engine == AUTO:
        with temporary(folder) as scratch:
            limits = Limits(request.max_drop, request.tolerance)
            selection = engine_selection.select_engine(
                variants, request.options, scratch, limits, request.references, request.plan, bench, request.dynamic,
                request.host, request.also,
            )  # fmt: skip
        target = selection.chosen
    else:
        engine = get_engine(request.engine).at(request.host)
        target = Target(engine, engine.options(request.options), request.gpus, request.dynamic)
    built = build(variants, target, folder)
    if built.session is not None:
        stack.enter_context(built.session)
    report = verify_outputs(item, built.session, folder, built.missing, target.options.batch)
    built.files.append(answers.FILE)
    return _Built(item, variants, target, built, selection, report)


def _time(work: Mapping[str, _Built], plan: TimingPlan, bench: Measuring) -> None:
    """All engines against each other, in one state after the other."""
    sessions = {name: w.built.session for name, w in work.items() if w.built.session is not None}
    for state in timed_states(any(w.target.engine.gpu for w in work.values())):
        with track(len(sessions), f"timing engines, {state}") as bar:
            group = bench.time(sessions, plan, state=state, progress=bar)
        group.require_all("an engine")
        for name, found in group.measured.items():
            work[name].measured[state] = found


def timed_states(gpu: bool) -> tuple[str, ...]:
    """The states that a datasheet has; a GPU's caches cannot be taken from here."""
    return (STEADY,) if gpu else STATES


def _write_all(work: Mapping[str, _Built], request: Request) -> dict[str, dict[str, Any]]:
    sheets = {}
    with track(len(work), "throughput, memory, cold start") as bar:
        for name, done in work.items():
            sheets[name] = _write(done, request)
            bar.advance()
    return sheets


def _write(w: _Built, request: Request) -> dict[str, Any]:
    """Measure what else running it costs, and write its datasheet."""
    built = w.built
    costs = measure_costs(
        w.target.engine, w.target.options, built.folder, built.files, request.costs, built.missing, _of_batch(w)
    )
    sheet = make_sheet(w.item, w.target, built, w.report, w.measured)
    command = [request.command] if request.command else []
    sheet |= {
        "runtime_costs": costs,
        "request": request.to_json(),
        "engine_selection": w.selection.to_json() if w.selection else {},
        "commands": [*command, *sheet["commands"]],
    }
    datasheet.write(built.folder, sheet)
    return sheet


def _of_batch(w: _Built) -> Callable[[int], bytes]:
    """The engine's model for another batch."""

    def model(batch: int) -> bytes:
        return w.variants.of(replace(w.target, options=replace(w.target.options, batch=batch), dynamic=False))[0]

    return model


def _check_target(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / datasheet.FILE).is_file()):
        raise BadInput(f"{folder} exists and holds something else", "a new folder, or one that was exported before")
