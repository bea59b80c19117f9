"""Export: build every engine, prove it, time them all together, then write the folders in one step each.

Job ─► torch network ─► folded weights ─► ONNX ─► session ─► parity, accuracy, latency ─► datasheet
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from hwnas import __version__
from hwnas.export import check, datasheet
from hwnas.export.datasheet import Figure
from hwnas.export.engines import MODEL, Engine, get_engine, open_engine
from hwnas.export.job import Job, predicted
from hwnas.onnx_writer import write_onnx
from profilers.base import Failure, Options, Samples, Session, TimingPlan
from profilers.errors import BadInput, MeasurementFailed
from profilers.files import write_bytes
from profilers.fingerprint import fingerprint
from profilers.pin import pin
from profilers.progress import track
from profilers.registry import get_profiler
from profilers.timing import time_sessions

PLAN = TimingPlan(min_rounds=30, max_rounds=120)
REFERENCE = "reference.npz"


@dataclass(frozen=True)
class Proof:
    """What was found out about one engine before it was timed."""

    parity: dict[str, check.Parity]
    accuracy: Figure
    dataset: str | None


def export(
    jobs: Mapping[str, Job], engine: str, options: Options, out: Path, plan: TimingPlan = PLAN
) -> dict[str, dict[str, Any]]:
    """Export each job to `out / name` (to `out` itself where the name is ""), timed against each other.

    Returns:
        The datasheet of each, by name.

    Raises:
        EngineUnavailable, MeasurementFailed: the engine cannot run here, or could not be timed.
        BadInput: unknown engine or precision, or a folder that holds something else.
    """
    form = get_engine(engine)
    for name in jobs:
        _check_target(out / name)
    with ExitStack() as stack, pin(options.threads):
        folders, sessions, proofs = {}, {}, {}
        with track(len(jobs), "building and checking engines") as bar:
            for name, job in jobs.items():
                folders[name] = stack.enter_context(_temporary(out / name))
                sessions[name] = stack.enter_context(_build(job, form, options, folders[name]))
                proofs[name] = _prove(job, sessions[name], folders[name])
                bar.advance()
        with track(len(jobs), "timing engines") as bar:
            samples = time_sessions(sessions, plan, progress=bar)
        sheets = {}
        for name, job in jobs.items():
            sheets[name] = _sheet(name or job.arch.id, job, form, options, folders[name], proofs[name], samples[name])
            datasheet.write(folders[name], sheets[name])
        for name in jobs:
            _replace(folders[name], out / name)
    return sheets


def _build(job: Job, engine: Engine, options: Options, folder: Path) -> Session:
    from hwnas.nets import fold

    facts = {"arch": job.arch.id, "space": job.space.name, "weights": job.weights}
    model = write_onnx(job.space.layers(job.arch), fold(job.network), batch=options.batch, metadata=facts)
    write_bytes(folder / MODEL, model)
    return open_engine(engine, folder, options)


def _prove(job: Job, session: Session, folder: Path) -> Proof:
    inputs = check.parity_inputs(job.input_shape)
    reference = {"parity_logits": _torch_logits(job, inputs)}
    found = {"seeded noise": check.parity(check.logits_of(session, inputs), reference["parity_logits"])}
    accuracy, name = Figure(None, "%", "not measured: random weights, or no data set"), None
    if job.dataset is not None:
        name, images = job.dataset.name, job.dataset.images("test", job.arch.r).numpy()
        got, expected = check.logits_of(session, images), _torch_logits(job, images)
        found[f"{name} test split"] = check.parity(got, expected)
        reference["test_top1"] = expected.argmax(1).astype(np.int32)
        value = check.top1(got, job.dataset.labels("test").numpy())
        accuracy = Figure(value, "%", f"measured: this engine on the {len(images)} images of {name}'s test split")
    stream = io.BytesIO()
    np.savez_compressed(stream, **reference)  # type: ignore[arg-type]
    write_bytes(folder / REFERENCE, stream.getvalue())
    return Proof(found, accuracy, name)


def _torch_logits(job: Job, images: check.Floats) -> check.Floats:
    import torch

    with torch.inference_mode():
        parts = [job.network.eval()(torch.from_numpy(images[i : i + 64])) for i in range(0, len(images), 64)]
    logits: check.Floats = torch.cat(parts).numpy()
    return logits


def _sheet(
    name: str, job: Job, engine: Engine, options: Options, folder: Path, proof: Proof, samples: Samples | Failure
) -> dict[str, Any]:
    if isinstance(samples, Failure):
        raise MeasurementFailed(f"{name} could not be timed: {samples.reason}")
    profiler = get_profiler(engine.profiler)
    guess = predicted(job, engine.profiler, options)
    shape = (options.batch, *job.input_shape)
    return {
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "architecture": job.arch.to_json(),
        "space": {"name": job.space.name, "signature": job.space.signature, "classes": job.space.classes},
        "engine": {"name": engine.name, "profiler": engine.profiler, "file": MODEL, **vars(options)},
        "weights": job.weights,
        "objectives": {key: figure.to_json() for key, figure in job.objectives.items()},
        "latency": latency(guess, samples, engine.profiler, plan_of=options),
        "parity": {key: value.to_json() for key, value in proof.parity.items()},
        "accuracy": {"dataset": proof.dataset, "top1": proof.accuracy.to_json()},
        "preprocessing": _preprocessing(job),
        "files": datasheet.file_facts(folder, [MODEL, REFERENCE]),
        "fingerprint": fingerprint(profiler, options).to_json(),
        "snippet": engine.snippet.format(
            shape=shape, openvino_precision={"bf16": "bf16"}.get(options.precision, "f32")
        ),
        "commands": ["hwnas validate ."],
    }


def latency(guess: Figure, samples: Samples, profiler: str, plan_of: Options) -> dict[str, Any]:
    """The latency section: predicted, measured, and whether they agree."""
    how = f"measured: {profiler}, batch {plan_of.batch}, {plan_of.threads} thread(s), {plan_of.precision}"
    measured = Figure(samples.ms, "ms", how, samples.low, samples.high)
    inside = None
    if guess.low is not None and guess.high is not None:
        inside = bool(guess.low <= samples.ms <= guess.high)
    timing = {
        "estimator": "25 % quantile of the accepted rounds", "rounds": samples.rounds, "rejected": samples.rejected,
        "converged": samples.converged, "median_ms": samples.median, "p90_ms": samples.p90, "clock": samples.clock,
    }  # fmt: skip
    return {"predicted": guess.to_json(), "measured": measured.to_json(), "within_interval": inside, "timing": timing}


def _preprocessing(job: Job) -> dict[str, Any]:
    data = job.dataset
    return {
        "layout": "NCHW, float32",
        "size": job.arch.r,
        "channels": job.space.in_channels,
        "mean": list(data.mean) if data else None,
        "std": list(data.std) if data else None,
        "note": "values 0 to 1, then (value - mean) / std; resized bilinearly with antialiasing",
        "labels": [str(i) for i in range(job.space.classes)] if data else None,
    }


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
