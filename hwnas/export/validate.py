"""`hwnas validate`: whether the engine in a folder is what its datasheet says, here and now."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hwnas.accuracy.wilson import wilson
from hwnas.export import datasheet, parity
from hwnas.export.answers import StoredAnswers, read_answers, sampled
from hwnas.export.datasheet_builder import timing_facts, within
from hwnas.export.engines import Engine, check_machine, open_engine, stored_engine
from hwnas.export.exportable import Labelled, Outputs, Values
from hwnas.export.labelled import DatasetSplit, LabelledFolder
from hwnas.export.parity import NOISE
from hwnas.export.pipeline import timed_states
from hwnas.export.rebuild import engine_options, rebuild
from hwnas.export.runtime_costs import CostPlan, measure_costs
from hwnas.export.speed import overlap
from profilers.base import INTERRUPTED, STEADY, Feeds, Session, TimingPlan
from profilers.errors import BadInput, FingerprintMismatch, HwnasError
from profilers.timing import plans
from profilers.timing.fingerprint import Fingerprint, fingerprint
from profilers.timing.measurement import Measurement, Measuring, measuring


def validate(
    folder: Path,
    *,
    force: bool = False,
    anew: bool = False,
    host: str = "",
    plan: TimingPlan = plans.ENGINE,
    costs: CostPlan = CostPlan.FULL,
) -> dict[str, Any]:
    """Measure the engine again and compare it with its datasheet.

    Args:
        folder: an exported one.
        force: measure although this is another device or setting.
        anew: build the engine again first, for the machine that it is measured on (see `hwnas.export.rebuild`).
        host: the device that it is measured on, by default this machine; it is sent there.
        plan: of the timing.
        costs: what is measured beside it.

    Returns:
        predicted_ms, low, high (None without a prediction), measured_ms and its interval, within_interval,
        parity_max_abs against the reference's outputs, parity_outputs (each by its name, where there are several),
        top1_agreement (a share; None where there are no classes), the accuracy where the images are at hand, the
        runtime costs, and `changes`: by quantity, what the datasheet says and what was found here. All of the state
        `steady`; "interrupted" holds the latency in that state, None on a GPU or where `costs` leaves it out.

    Raises:
        FingerprintMismatch: measured on another device or setting (fields named), and not `force`; or an optimised
            model of another kind of CPU or version, which not even `force` runs, since it may compute nonsense.
        BadInput: an edited datasheet, a swapped file, an ONNX that points elsewhere.
    """
    sheet = datasheet.read(folder)
    engine = stored_engine(sheet["engine"]["name"]).at(host)
    differ = differences(sheet, engine) if anew else _checked_differences(sheet, engine, force)
    files = list(rebuild(folder, host=host)["files"] if anew else sheet["files"])
    result = {**_measure(sheet, engine, folder, files, plan, costs), "differences": differ}
    return {**result, "changes": changes(sheet, result)}


def _measure(
    sheet: dict[str, Any], engine: Engine, folder: Path, files: list[str], plan: TimingPlan, costs: CostPlan
) -> dict[str, Any]:
    """All that `validate` finds out about the engine that lies in the folder."""
    options = engine_options(sheet["engine"])
    states = timed_states(engine.gpu) if costs.interrupted else (STEADY,)
    place = engine.running.place
    with measuring(options, place=place) as bench, open_engine(engine, folder, options, files) as session:
        found = _compare(sheet, folder, session)
        measured = {state: _time(bench, session, plan, state) for state in states}
    again = measured.get(INTERRUPTED)
    interrupted = None if again is None else _latency(sheet["latency"][INTERRUPTED], again)
    return {
        **_latency(sheet["latency"], measured[STEADY]),
        **found,
        INTERRUPTED: interrupted,
        "runtime_costs": measure_costs(engine, options, folder, files, costs),
    }


def _checked_differences(sheet: dict[str, Any], engine: Engine, force: bool) -> list[str]:
    """See `differences`; FingerprintMismatch if there are any, unless `force`, or if the engine cannot run here."""
    differ = differences(sheet, engine)
    if differ and not force:
        raise FingerprintMismatch(
            f"the datasheet is of another device or setting ({'; '.join(differ)})",
            "the same device, runtime and settings",
            "--force to measure here all the same",
        )
    check_machine(engine, Fingerprint.from_json(sheet["fingerprint"]))
    return differ


def _time(bench: Measuring, session: Session, plan: TimingPlan, state: str) -> Measurement:
    group = bench.time({"engine": session}, plan, state=state)
    group.require_all("the engine")
    return group.measured["engine"]


def _latency(was: dict[str, Any], found: Measurement) -> dict[str, Any]:
    """What was predicted and is measured now, in one state."""
    low, high = was["predicted"].get("low"), was["predicted"].get("high")
    return {
        "predicted_ms": was["predicted"]["value"],
        "measured_ms": found.ms,
        "low": low,
        "high": high,
        "within_interval": within(low, high, found.ms),
        "measured_low": found.low,
        "measured_high": found.high,
        "converged": found.converged,
        "clock": found.clock,
        "timing": timing_facts(found),
    }


def differences(sheet: dict[str, Any], engine: Engine) -> list[str]:
    """The fields in which the machine where the engine runs and the datasheet's differ, a line each."""
    here = fingerprint(engine.running, engine_options(sheet["engine"]))
    return here.differences(Fingerprint.from_json(sheet["fingerprint"]))


def changes(sheet: dict[str, Any], found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By name, each quantity of the datasheet beside what was found here; only those that both have.

    `tie` says whether the two differ by no more than their intervals, None where one has none.
    """
    was, now = sheet["runtime_costs"], found["runtime_costs"]
    again = found[INTERRUPTED] or {}
    pairs = {
        "latency": (sheet["latency"]["measured"], _here(found, "measured_ms", "measured_low", "measured_high")),
        **_percentiles(sheet["latency"]["timing"], found["timing"]),
        "latency, interrupted": (
            sheet["latency"][INTERRUPTED]["measured"],
            _here(again, "measured_ms", "measured_low", "measured_high"),
        ),
        "accuracy": (sheet["accuracy"]["top1"], _here(found, "top1", "top1_low", "top1_high")),
    }
    for batch, rate in was.get("throughput", {}).items():
        pairs[f"throughput, batch {batch}"] = (rate, now["throughput"].get(batch, {}))
    for key, name in (("cold_start", "cold start"), ("peak_memory", "peak memory")):
        if key in was and key in now:
            pairs[name] = (was[key], now[key])
    return {name: _change(old, new) for name, (old, new) in pairs.items() if _both(old, new)}


def _here(found: dict[str, Any], *names: str) -> dict[str, Any]:
    """Three of a result's figures as a quantity has them."""
    return dict(zip(("value", "low", "high"), (found.get(name) for name in names), strict=True))


def _percentiles(was: dict[str, Any] | None, now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Those that a datasheet of before may not have."""
    stated, found = (was or {}).get("percentiles", {}), now["percentiles"]
    return {f"latency, {name}": (stated[name], found[name]) for name in stated if name in found}


def _both(was: dict[str, Any], now: dict[str, Any]) -> bool:
    return was.get("value") is not None and now.get("value") is not None


def _change(was: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """A tie where the intervals overlap."""
    old, new = was["value"], now["value"]
    change = new / old - 1 if old else None
    return {"datasheet": old, "here": new, "unit": was["unit"], "change": change, "tie": overlap(was, now)}


def _compare(sheet: dict[str, Any], folder: Path, session: Session) -> dict[str, Any]:
    """Parity with the reference's stored answers, and the accuracy where the images are at hand."""
    stored = read_answers(folder, list(sheet["inputs"]), list(sheet["outputs"]))
    got = [_as_stored(parity.run_rows(session, run), stored.answers[0]) for run in _feeds(sheet, stored)]
    noise = parity.compare_runs(got, list(stored.answers))
    return {
        "parity_max_abs": noise.max_abs,
        "parity_max_rel": noise.max_rel,
        "parity_outputs": {name: vars(found) for name, found in noise.outputs.items()},
        "top1_agreement": noise.top1_agreement,
        "agreement_on": NOISE,
        **dict.fromkeys(("top1", "top1_low", "top1_high", "images")),
        **_accuracy(sheet, session, stored.split_top1),
    }


def _as_stored(found: Outputs, stored: Outputs) -> Outputs:
    """Outputs under the datasheet's names (one runtime may rename the only one), as many values as are stored."""
    names = {name: name if name in found else other for name, other in zip(stored, found, strict=True)}
    return {name: sampled(found[names[name]]) for name in stored}


def _feeds(sheet: dict[str, Any], stored: StoredAnswers) -> Sequence[Feeds]:
    """What the stored answers are for; noise where it is not stored."""
    if stored.feeds or not sheet["inputs"]:
        return stored.feeds or [{} for _ in stored.answers]
    name, tensor = next(iter(sheet["inputs"].items()))
    return [{name: parity.parity_inputs(tuple(tensor["shape"][1:]))}]


def _accuracy(sheet: dict[str, Any], session: Session, classes: Values | None) -> dict[str, Any]:
    """On the images of the datasheet, and how far the reference's stored answers agree; or why there is none."""
    if sheet["accuracy"]["dataset"] is None:
        return {"accuracy": sheet["accuracy"]["top1"]["how"]}
    try:
        data = reopened(sheet)
        logits, labels = parity.logits_over(data, partial(parity.logits_of, session))
    except HwnasError as error:  # another machine need not have them
        return {"accuracy": f"not measured: {error}"}
    top1 = parity.top1(logits, labels)
    low, high = wilson(top1, len(labels))
    found = {
        "top1": top1,
        "top1_low": low,
        "top1_high": high,
        "images": len(labels),
        "accuracy": f"measured: {len(labels)} images, {data.name}, 95 % Wilson interval",
    }
    if classes is None or len(classes) != len(labels):
        return found | {"accuracy": f"{found['accuracy']}; other images than when it was exported"}
    return found | {"top1_agreement": float((logits.argmax(1) == classes).mean()), "agreement_on": data.name}


def reopened(sheet: dict[str, Any]) -> Labelled:
    """The images that a datasheet's accuracy was measured on; BadInput, FileProblem where they are not here."""
    from hwnas.data import get_dataset

    how, accuracy = sheet["preprocessing"], sheet["accuracy"]
    if how is None:
        raise BadInput("a datasheet with an accuracy and no preprocessing", remedy="export it again")
    if sheet["model"] is not None:
        folder = LabelledFolder(Path(accuracy["dataset"]), how)
        folder.listing  # noqa: B018  raises where it is missing
        return folder
    return DatasetSplit(get_dataset(accuracy["dataset"]).with_channels(how["channels"]), accuracy["split"], how["size"])
