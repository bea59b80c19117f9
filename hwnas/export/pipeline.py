"""Export: build every engine, prove it, time them all together, then write the folders in one step each.

Job ─► (the contest of all engines, for "auto") ─► engine ─► parity, accuracy, latency, running costs ─► datasheet
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hwnas.export import datasheet, engine_selection
from hwnas.export.build import Built, Models, Target, build, replace, temporary
from hwnas.export.datasheet_builder import make_sheet
from hwnas.export.engines import get_engine
from hwnas.export.item import Job
from hwnas.export.parity import Proof, prove
from hwnas.export.runtime_costs import DEPTH, Depth, running
from profilers.base import STATES, STEADY, Failure, Options, Samples, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.progress import track
from profilers.timing import plans
from profilers.timing.measurement import Measuring, measuring


@dataclass(frozen=True)
class Request:
    """What is asked for.

    engine       a format, or "auto" for the fastest of all within `max_drop`
    options      how it runs; for "auto" the precision is not looked at
    gpus         compute capabilities such as "sm86" that TensorRT-RTX builds for
    max_drop     points of top-1 that "auto" may lose
    calibration  images for int8; the data set's by default
    references   what "auto" times torch with: "eager" and "compiled"
    plan, depth  of the timing, and of what is measured beside it
    command      the command line, for the datasheet
    weights      what they come from, so that those of another training are noticed (see `RunSource.weights`)
    """

    engine: str = "onnxruntime"
    options: Options = field(default_factory=Options)
    gpus: tuple[str, ...] = ()
    max_drop: float = engine_selection.MAX_DROP
    calibration: Path | None = None
    references: tuple[str, ...] = engine_selection.REFERENCES
    plan: TimingPlan = plans.ENGINE
    depth: Depth = DEPTH
    command: str = ""
    weights: str = ""

    def to_json(self) -> dict[str, Any]:
        """What decides the engine: a folder of the same request and network need not be exported again."""
        calibration = str(self.calibration) if self.calibration else None
        drop = self.max_drop if self.engine == "auto" else None
        return {"engine": self.engine, **asdict(self.options), "gpus": list(self.gpus), "max_accuracy_drop": drop,
                "calibration": calibration, "weights": self.weights}  # fmt: skip


@dataclass
class _Work:
    """One job on its way; `samples` by state."""

    job: Job
    target: Target
    built: Built
    contest: engine_selection.Contest | None = None
    proof: Proof | None = None
    samples: dict[str, Samples] = field(default_factory=dict)
    section: dict[str, Any] | None = None


def export(jobs: Mapping[str, Job], request: Request, out: Path) -> dict[str, dict[str, Any]]:
    """Export each job to `out / name` (to `out` itself where the name is ""), timed against each other.

    What was exported there before is replaced at the end, in one step; where anything fails, nothing is written.

    Returns:
        The datasheet of each, by name.

    Raises:
        EngineUnavailable, MeasurementFailed: the engine cannot run here, or could not be timed.
        BadInput: unknown engine or precision, no images for int8, or a folder that holds something else.
    """
    check_request(request)
    for name in jobs:
        _check_target(out / name)
    with measuring(request.options) as bench, ExitStack() as stack:
        with track(len(jobs), "building and checking engines") as bar:
            work = {}
            for name, job in jobs.items():
                folder = stack.enter_context(temporary(out / name))
                work[name] = _prepare(job, request, folder, bench, stack)
                bar.advance()
        _time(work, request.plan, bench)
        with track(len(jobs), "throughput, memory, cold start") as bar:
            for w in work.values():
                files, missing = w.built.files, w.built.missing
                w.section = running(w.target.engine, w.target.options, w.built.folder, files, request.depth, missing)
                bar.advance()
        sheets = {name: _write(w, request) for name, w in work.items()}
        for name, w in work.items():
            replace(w.built.folder, out / name)
    return sheets


def check_request(request: Request) -> None:
    """BadInput for an engine that does not exist, or GPUs named for one that is not built for them."""
    gpu = request.engine != "auto" and get_engine(request.engine).gpu
    if request.gpus and not gpu:
        raise BadInput(f"--target {request.gpus[0]} for engine {request.engine}", "engines compiled for a GPU")


def _prepare(job: Job, request: Request, folder: Path, bench: Measuring, stack: ExitStack) -> _Work:
    models, contest = Models(job, request.calibration), None
    if request.engine == "auto":
        with temporary(folder) as scratch:
            contest = engine_selection.contest(
                models, request.options, scratch, request.max_drop, request.references, request.plan, bench
            )
        target = contest.chosen
    else:
        target = Target(get_engine(request.engine), request.options, request.gpus)
    built = build(models, target, folder)
    if built.session is not None:
        stack.enter_context(built.session)
    work = _Work(job, target, built, contest)
    work.proof = prove(work.job, work.built)
    return work


def _time(work: Mapping[str, _Work], plan: TimingPlan, bench: Measuring) -> None:
    """All engines against each other, in one state after the other."""
    sessions = {name: w.built.session for name, w in work.items() if w.built.session is not None}
    for state in timed_states(any(w.target.engine.gpu for w in work.values())):
        with track(len(sessions), f"timing engines, {state}") as bar:
            found = bench.time(sessions, plans.in_state(plan, state), state=state, progress=bar)
        for name, samples in found.items():
            if isinstance(samples, Failure):
                raise MeasurementFailed(f"{work[name].job.arch.id} could not be timed: {samples.reason}")
            work[name].samples[state] = samples


def timed_states(gpu: bool) -> tuple[str, ...]:
    """The states that a datasheet has; a GPU's caches cannot be taken from here."""
    return (STEADY,) if gpu else STATES


def _write(w: _Work, request: Request) -> dict[str, Any]:
    if w.proof is None or w.section is None:
        raise MeasurementFailed(f"{w.job.arch.id} was not checked")
    sheet = make_sheet(w.job, w.target, w.built, w.proof, w.samples)
    sheet |= {
        "running": w.section, "request": request.to_json(), "contest": w.contest.to_json() if w.contest else {},
        "commands": [*([request.command] if request.command else []), *sheet["commands"]],
    }  # fmt: skip
    datasheet.write(w.built.folder, sheet)
    return sheet


def _check_target(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / datasheet.FILE).is_file()):
        raise BadInput(f"{folder} exists and holds something else", "a new folder, or one that was exported before")
