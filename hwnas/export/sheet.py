"""What goes into a datasheet: one engine's proof and samples, put into the schema's sections."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hwnas import __version__
from hwnas.export import datasheet
from hwnas.export.datasheet import Figure
from hwnas.export.engines import Engine, engine_files, snippet
from hwnas.export.job import Job, predicted
from profilers.base import Options, Samples
from profilers.fingerprint import fingerprint
from profilers.registry import get_profiler

if TYPE_CHECKING:
    from hwnas.export.build import Built, Target
    from hwnas.export.prove import Proof


def make_sheet(job: Job, target: Target, built: Built, proof: Proof, samples: Samples | None) -> dict[str, Any]:
    """The content of a datasheet; `samples` is None where the engine could not be run here."""
    engine, options, files = target.engine, target.options, built.files
    profiler = get_profiler(engine.profiler)
    return {
        "name": job.arch.id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "architecture": job.arch.to_json(),
        "space": {"name": job.space.name, "signature": job.space.signature, "classes": job.space.classes},
        "engine": {
            "name": engine.name,
            "profiler": engine.profiler,
            "file": engine_files(engine, files)[0],
            **vars(options),
        },
        "weights": f"{job.weights}; {built.note}" if built.note else job.weights,
        "warnings": list(job.warnings),
        "objectives": {key: figure.to_json() for key, figure in job.objectives.items()},
        "latency": latency(predicted(job, engine.profiler, options), samples, engine, options, proof.missing),
        "parity": {key: value.to_json() for key, value in proof.parity.items()},
        "accuracy": {"dataset": proof.dataset, "split": proof.split, "top1": proof.accuracy.to_json()},
        "preprocessing": preprocessing(job),
        "files": datasheet.file_facts(built.folder, files),
        "fingerprint": fingerprint(profiler, options).to_json(),
        "snippet": snippet(engine, options, (options.batch, *job.input_shape), files),
        "commands": ["hwnas validate .", "python run.py IMAGE"],
    }


def latency(guess: Figure, samples: Samples | None, engine: Engine, options: Options, missing: str) -> dict[str, Any]:
    """The latency section: predicted, measured, and whether they agree."""
    inside = timing = None
    measured = Figure(None, "ms", f"not measured: {missing}; measure it on the target with hwnas validate")
    if samples is not None:
        setting = f"batch {options.batch}, {options.threads} thread(s), {options.precision}"
        measured = Figure(samples.ms, "ms", f"measured: {engine.profiler}, {setting}", samples.low, samples.high)
        inside = within(guess.low, guess.high, samples.ms)
        timing = {
            "estimator": "25 % quantile of the accepted rounds", "rounds": samples.rounds,
            "rejected": samples.rejected, "converged": samples.converged, "median_ms": samples.median,
            "p90_ms": samples.p90, "clock": samples.clock,
        }  # fmt: skip
    return {"predicted": guess.to_json(), "measured": measured.to_json(), "within_interval": inside, "timing": timing}


def within(low: float | None, high: float | None, ms: float) -> bool | None:
    """Whether a measurement lies in a prediction's interval; None without one."""
    return None if low is None or high is None else bool(low <= ms <= high)


def preprocessing(job: Job) -> dict[str, Any]:
    """What an image must go through, and what the outputs mean."""
    data, channels, r = job.dataset or job.input, job.space.in_channels, job.arch.r
    crop = data.crop if data else 1.0
    unknown = "" if data else "; no data set is known: not normalised, classes by number"
    return {
        "layout": "NCHW, float32",
        "size": r,
        "channels": channels,
        "mode": "L" if channels == 1 else "RGB",
        "mean": list(data.mean) if data else [0.0] * channels,
        "std": list(data.std) if data else [1.0] * channels,
        "resize": math.ceil(r / crop),
        "crop": crop,
        "interpolation": "bilinear, antialiased",
        "white": job.dataset.white if job.dataset else None,
        "note": f"turned upright by EXIF, transparency dropped, 8 bits a colour; the shorter side resized to "
        f"{math.ceil(r / crop)} px and the central {r} x {r} cut out; values 0 to 1, then (value - mean) / std; run.py "
        f"has these steps{unknown}",
        "labels": list(data.class_names) if data else [str(i) for i in range(job.space.classes)],
    }
