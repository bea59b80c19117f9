"""`hwnas validate`: whether the engine in a folder is what its datasheet says, here and now."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.export import check, datasheet
from hwnas.export.engines import get_engine, open_engine
from hwnas.export.run import PLAN, REFERENCE
from hwnas.export.sheet import within
from profilers.base import Failure, Options, Session, TimingPlan
from profilers.errors import BadInput, FingerprintMismatch, MeasurementFailed
from profilers.files import read_bytes
from profilers.fingerprint import Fingerprint, fingerprint
from profilers.pin import pin
from profilers.registry import get_profiler
from profilers.timing import time_sessions


def validate(folder: Path, *, force: bool = False, plan: TimingPlan = PLAN) -> dict[str, Any]:
    """Measure the engine again and compare it with its datasheet.

    Returns:
        predicted_ms, low, high (None without a prediction), measured_ms and its interval, within_interval,
        parity_max_abs against torch's logits, top1_agreement (a share), and the accuracy where the data is at hand.

    Raises:
        FingerprintMismatch: measured on another device or setting (fields named), and not `force`.
        BadInput: an edited datasheet, a swapped file, an ONNX that points elsewhere.
    """
    sheet = datasheet.read(folder)
    engine, options = get_engine(sheet["engine"]["name"]), _options(sheet["engine"])
    differ = fingerprint(get_profiler(engine.profiler), options).differences(
        Fingerprint.from_json(sheet["fingerprint"])
    )
    if differ and not force:
        raise FingerprintMismatch(
            f"the datasheet is of another device or setting ({'; '.join(differ)})",
            "the same device, runtime and settings", "--force to measure here all the same",
        )  # fmt: skip
    with pin(options.threads), open_engine(engine, folder, options, list(sheet["files"])) as session:
        found = _compare(sheet, folder, session)
        samples = time_sessions({"engine": session}, plan)["engine"]
    if isinstance(samples, Failure):
        raise MeasurementFailed(f"the engine could not be timed: {samples.reason}")
    guess = sheet["latency"]["predicted"]
    low, high = guess.get("low"), guess.get("high")
    return {
        "predicted_ms": guess["value"], "measured_ms": samples.ms, "low": low, "high": high,
        "within_interval": within(low, high, samples.ms),
        **found,
        "measured_low": samples.low, "measured_high": samples.high, "converged": samples.converged,
        "clock": samples.clock, "differences": differ,
    }  # fmt: skip


def _compare(sheet: dict[str, Any], folder: Path, session: Session) -> dict[str, Any]:
    reference = _reference(folder)
    shape = sheet["preprocessing"]
    inputs = check.parity_inputs((shape["channels"], shape["size"], shape["size"]))
    noise = check.parity(check.logits_of(session, inputs), reference["parity_logits"])
    found = {"parity_max_abs": noise.max_abs, "parity_max_rel": noise.max_rel, "top1_agreement": noise.top1_agreement}
    name = sheet["accuracy"]["dataset"]
    if name is None:
        return {**found, "agreement_on": "seeded noise", "top1": None}
    from hwnas.data import get_dataset

    data = get_dataset(name)
    logits = check.logits_of(session, data.images("test", shape["size"]).numpy())
    same = float((logits.argmax(1) == reference["test_top1"]).mean())
    top1 = check.top1(logits, data.labels("test").numpy())
    return {**found, "top1_agreement": same, "agreement_on": f"{name} test split", "top1": top1}


def _reference(folder: Path) -> dict[str, Any]:
    try:
        with np.load(io.BytesIO(read_bytes(folder / REFERENCE)), allow_pickle=False) as stored:
            return dict(stored)
    except (ValueError, OSError, EOFError) as error:
        raise BadInput(f"{folder / REFERENCE} is damaged: {error}", remedy="export it again") from error


def _options(engine: dict[str, Any]) -> Options:
    try:
        return Options(engine["threads"], engine["precision"], engine["batch"], engine["optimization"])
    except (KeyError, TypeError) as error:
        raise BadInput("the datasheet's engine lacks its settings", remedy="export it again") from error
