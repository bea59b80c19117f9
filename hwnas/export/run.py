"""Export: build every engine, prove it, time them all together, then write the folders in one step each.

Job ─► torch network ─► folded weights ─► ONNX ─► engine ─► session ─► parity, accuracy, latency ─► datasheet
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.export import check, datasheet
from hwnas.export.datasheet import Figure
from hwnas.export.engines import MODEL, Engine, get_engine, open_engine
from hwnas.export.job import Job
from hwnas.export.sheet import Proof, make_sheet
from hwnas.onnx_writer import write_onnx
from profilers.base import Failure, Options, Samples, Session, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from profilers.files import write_bytes
from profilers.pin import pin
from profilers.progress import track
from profilers.timing import time_sessions

PLAN = TimingPlan(min_rounds=30, max_rounds=120)
REFERENCE = "reference.npz"


@dataclass
class _Built:
    """An engine in its temporary folder; `session` is None where it cannot run here, and `missing` says why."""

    job: Job
    folder: Path
    files: list[str] = field(default_factory=list)
    session: Session | None = None
    missing: str = ""
    proof: Proof | None = None
    samples: Samples | None = None


def export(
    jobs: Mapping[str, Job], engine: str, options: Options, out: Path, plan: TimingPlan = PLAN,
    targets: Sequence[str] = (),
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Export each job to `out / name` (to `out` itself where the name is ""), timed against each other.

    Args:
        jobs: what to export, by folder name.
        engine: the format.
        options: how it runs.
        out: the folder; what was exported there before is replaced at the end, in one step.
        plan: of the timing.
        targets: compute capabilities such as "sm86" that TensorRT-RTX builds for.

    Returns:
        The datasheet of each, by name.

    Raises:
        EngineUnavailable, MeasurementFailed: the engine cannot run here, or could not be timed.
        BadInput: unknown engine or precision, or a folder that holds something else.
    """
    form = get_engine(engine)
    if targets and form.compile is None:
        raise BadInput(f"--target {targets[0]} for engine {engine}", "engines that are compiled for a GPU")
    for name in jobs:
        _check_target(out / name)
    with ExitStack() as stack, pin(options.threads):
        built: dict[str, _Built] = {}
        with track(len(jobs), "building and checking engines") as bar:
            for name, job in jobs.items():
                built[name] = _Built(job, stack.enter_context(_temporary(out / name)))
                _build(built[name], form, options, tuple(targets))
                if built[name].session is not None:
                    stack.enter_context(built[name].session)  # type: ignore[arg-type]
                _prove(built[name])
                bar.advance()
        _time(built, plan)
        sheets = {name: _write(b, form, options) for name, b in built.items()}
        for name, b in built.items():
            _replace(b.folder, out / name)
    return sheets


def _build(b: _Built, engine: Engine, options: Options, targets: tuple[str, ...]) -> None:
    from hwnas.nets import fold

    job = b.job
    facts = {"arch": job.arch.id, "space": job.space.name, "weights": job.weights}
    model = write_onnx(job.space.layers(job.arch), fold(job.network), batch=options.batch, metadata=facts)
    write_bytes(b.folder / MODEL, model)
    b.files = [MODEL]
    if engine.compile is None:
        b.session = open_engine(engine, b.folder, options, b.files)
        return
    b.files += engine.compile(model, options, targets, b.folder)
    try:
        b.session = open_engine(engine, b.folder, options, b.files)
    except EngineUnavailable as error:  # built ahead of time for a GPU that is not here
        b.missing = error.got


def _prove(b: _Built) -> None:
    job = b.job
    reference: dict[str, Any] = {}
    inputs = {"seeded noise": check.parity_inputs(job.input_shape)}
    if job.dataset is not None:
        inputs[f"{job.dataset.name} test split"] = job.dataset.images("test", job.arch.r).numpy()
    found, accuracy = {}, Figure(None, "%", f"not measured: {b.missing or 'random weights, or no data set'}")
    for name, images in inputs.items():
        expected = _torch_logits(job, images)
        reference |= (
            {"parity_logits": expected} if not reference else {"test_top1": expected.argmax(1).astype(np.int32)}
        )
        if b.session is not None:
            got = check.logits_of(b.session, images)
            found[name] = check.parity(got, expected)
            if job.dataset is not None and name != "seeded noise":
                value = check.top1(got, job.dataset.labels("test").numpy())
                accuracy = Figure(value, "%", f"measured: this engine on {len(images)} images, {name}")
    stream = io.BytesIO()
    np.savez_compressed(stream, **reference)
    write_bytes(b.folder / REFERENCE, stream.getvalue())
    b.files.append(REFERENCE)
    b.proof = Proof(found, accuracy, job.dataset.name if job.dataset else None, b.missing)


def _torch_logits(job: Job, images: check.Floats) -> check.Floats:
    import torch

    with torch.inference_mode():
        parts = [job.network.eval()(torch.from_numpy(images[i : i + 64])) for i in range(0, len(images), 64)]
    logits: check.Floats = torch.cat(parts).numpy()
    return logits


def _time(built: Mapping[str, _Built], plan: TimingPlan) -> None:
    sessions = {name: b.session for name, b in built.items() if b.session is not None}
    with track(len(sessions), "timing engines") as bar:
        for name, samples in time_sessions(sessions, plan, progress=bar).items():
            if isinstance(samples, Failure):
                raise MeasurementFailed(f"{built[name].job.arch.id} could not be timed: {samples.reason}")
            built[name].samples = samples


def _write(b: _Built, engine: Engine, options: Options) -> dict[str, Any]:
    if b.proof is None:
        raise MeasurementFailed(f"{b.job.arch.id} was not checked")
    sheet = make_sheet(b.job, engine, options, b.folder, b.files, b.proof, b.samples)
    datasheet.write(b.folder, sheet)
    return sheet


def _check_target(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / datasheet.FILE).is_file()):
        raise BadInput(f"{folder} exists and holds something else", "a new folder, or one that was exported before")


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(folder: Path, target: Path) -> None:
    folder.chmod(0o755)
    if target.exists():
        shutil.rmtree(target)
    folder.rename(target)
