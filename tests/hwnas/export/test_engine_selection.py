"""`--engine auto`: what is tried, what is refused, what is chosen, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.accuracy.wilson import drop
from hwnas.export import datasheet, engine_selection
from hwnas.export.build import PrecisionVariants, Target
from hwnas.export.engine_selection import Candidate, choose, refusal, select_engine, targets, why
from hwnas.export.engines import ENGINES
from hwnas.export.judge import Limits
from hwnas.export.pipeline import export
from hwnas.export.quantise import TOLERANCE
from hwnas.export.quantity import Parity
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.torch_session import torch_session
from hwnas.export.validate import validate
from profilers.base import Options
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from profilers.registry import get_profiler
from profilers.runtimes.torch import aot
from profilers.timing.measurement import Measurement
from tests.hwnas.exporting import QUICK, REQUEST, item


def candidate(precision: str, ms: float | None, refused: str = "", engine: str = "openvino") -> Candidate:
    target = Target(ENGINES[engine], Options(precision=precision))
    return Candidate(target, refused, measured=None if ms is None else Measurement("", ms, 0.98 * ms, 1.02 * ms))


def test_the_fastest_that_is_allowed_is_chosen_and_why():
    rows = [candidate("fp32", 3.0), candidate("int8", 1.0, "loses 2.00 points, more than 0.5"), candidate("bf16", 2.0)]
    winner = choose(rows)
    assert winner.target.name == "openvino bf16"
    text = why(rows, winner, 0.5)
    assert "the fastest of 2" in text and "2 ms against 3 of openvino fp32" in text
    assert "openvino int8, 1 ms, was refused: loses 2.00 points" in text
    assert "overlap" not in text and "overlap" in why([*rows, candidate("fp16", 2.01)], winner, 0.5)
    with pytest.raises(MeasurementFailed, match="openvino int8: loses"):
        choose(rows[1:2])


def test_every_runtime_and_precision_of_this_machine_is_tried():
    names = {t.name for t in targets(Options(batch=4, threads=2))}
    for engine in ("onnxruntime", "openvino"):
        profiler = get_profiler(engine)
        if profiler.status().available:
            assert {f"{engine} {p}" for p in profiler.supported_precisions()} <= names
    assert "onnx fp32" not in names
    assert {t.options.batch for t in targets(Options(batch=4))} == {4}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contest")
    return select_engine(PrecisionVariants(item(), tolerance=100), Options(), folder, Limits(100), ("eager",), QUICK)


@pytest.mark.slow
def test_all_are_timed_beside_torch(found):
    assert {c.target.name for c in found.candidates} == {t.name for t in targets(Options())}
    tried = [c for c in found.candidates if not c.target.engine.slow]
    assert all(not c.refused and c.measured and c.top1 is not None and c.size > 1000 for c in tried)
    assert found.chosen.name == min(found.candidates, key=lambda c: c.ms).target.name
    assert found.references["eager"].value > 0
    assert found.accuracy.startswith("measured: 400 images, digits val split")
    exact = [c for c in tried if c.target.options.precision == "fp32"]
    assert all(c.accuracy_drop == 0 and c.parity.max_rel < 1e-4 for c in exact)


@pytest.mark.slow
def test_points_lost_are_those_of_the_validation_split(found):
    network = item()
    import torch

    images, labels = network.dataset.images("val", network.arch.r), network.dataset.labels("val")
    with torch.inference_mode():
        own = 100 * float((network.network.eval()(images).argmax(1) == labels).float().mean())
    for c in (c for c in found.candidates if c.measured):
        assert c.accuracy_drop == pytest.approx(own - c.top1, abs=1e-4)


def test_what_loses_too_much_is_refused_and_the_reason_says_how_much():
    row = candidate("int8", 1.0)
    assert refusal(row, 0.5) == ""  # nothing is known of it
    row.accuracy_drop = 3.0
    assert refusal(row, 3.0) == "" and refusal(row, 2.9) == "loses 3.00 points, more than 2.9"
    right = np.arange(400) % 10 > 0
    row.drop = drop(right, right & (np.arange(400) % 50 > 4))
    row.accuracy_drop = row.drop.points
    assert refusal(row, 100) == ""
    assert refusal(row, 0.0).startswith(f"loses {row.drop}, more than 0")
    row.drop, row.accuracy_drop, row.parity = None, 0.0, Parity(1.0, 0.02, 1.0, 64)
    assert refusal(row, 0.5) == "" and refusal(row, 0.5, 0.02) == ""
    assert refusal(row, 0.5, 0.01) == "differs by 2 % of an output, more than 1 %"


def test_a_drop_that_the_images_do_not_decide_is_said_to_be_so():
    row, right = candidate("int8", 1.0), np.arange(400) % 10 > 0
    row.drop = drop(right, right & (np.arange(400) % 50 > 4))
    row.accuracy_drop = row.drop.points
    close = 0.99 * row.accuracy_drop
    assert not row.drop.decides(close) and "too few to decide" in refusal(row, close)


def test_int8_is_made_with_the_tolerance_of_auto_alone():
    """Choosing an engine changes nothing of what it was given."""
    auto = replace(REQUEST, engine="auto", max_drop=2.5)
    assert auto.may_change == 2.5 and replace(auto, engine="openvino").may_change == TOLERANCE


def test_choosing_leaves_its_arguments_alone(tmp_path):
    variants = PrecisionVariants(item(1, None), tolerance=0.25)
    select_engine(variants, Options(), tmp_path, Limits(2.0), (), QUICK)
    assert variants.tolerance == 0.25


def test_without_a_data_set_int8_needs_images_and_the_rest_is_judged_by_agreement(tmp_path):
    result = select_engine(PrecisionVariants(item(1, None)), Options(), tmp_path, Limits(), (), QUICK)
    by = {c.target.name: c for c in result.candidates}
    assert "--calibration" in by["onnxruntime int8"].refused
    assert by["onnxruntime fp32"].accuracy_drop == 0 and by["onnxruntime fp32"].top1 is None
    assert result.accuracy.startswith("not measured: no labelled images; outputs compared with torch on 64 noise")
    assert "no more than 0.5 % and differ by no more than 1 % of an output" in result.why


def test_a_candidate_that_cannot_be_built_does_not_stop_the_others(monkeypatch, tmp_path):
    real = engine_selection.build

    def build(variants, target, folder):
        if target.engine.name == "openvino":
            raise EngineUnavailable("plug-in missing")
        return real(variants, target, folder)

    monkeypatch.setattr(engine_selection, "build", build)
    result = select_engine(PrecisionVariants(item(1, None)), Options(), tmp_path, Limits(), (), QUICK)
    refused = {c.target.name: c.refused for c in result.candidates if c.target.engine.name == "openvino"}
    if not refused:
        pytest.skip("OpenVINO is not installed")
    assert refused.pop("openvino int8", None) in (None, "int8 needs images to set its ranges: --calibration")
    assert {*refused.values()} == {"plug-in missing"}
    assert result.chosen.name == "onnxruntime fp32"


def test_a_negative_drop_is_refused(tmp_path):
    for value in (-1.0, float("nan")):
        with pytest.raises(BadInput, match="drop"):
            select_engine(PrecisionVariants(item()), Options(), tmp_path, Limits(value), (), QUICK)


@pytest.mark.slow
def test_exported_with_auto_the_folder_says_what_else_was_tried(tmp_path):
    request = replace(REQUEST, engine="auto", max_drop=100.0)
    sheet = export({"": item()}, request, tmp_path / "x")[""]
    assert sheet["engine"]["name"] in ("onnxruntime", "openvino")
    assert sheet["engine_selection"]["why"] in (tmp_path / "x/datasheet.md").read_text()
    assert len(sheet["engine_selection"]["candidates"]) == len(list(targets(Options())))
    assert datasheet.read(tmp_path / "x")["request"]["max_accuracy_drop"] == 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x"]
    assert validate(tmp_path / "x", plan=QUICK, costs=CostPlan.QUICK)["top1_agreement"] > 0.5


def test_torch_computes_as_its_network_and_says_why_it_cannot_compile(monkeypatch):
    work = item()
    session = torch_session(work.network, (2, *work.input_shape), 1)
    images = np.random.default_rng(0).standard_normal((2, *work.input_shape), dtype=np.float32)
    import torch

    with torch.inference_mode():
        expected = work.network.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(session.infer(images), expected, rtol=1e-4, atol=1e-7)
    assert session.output_shape == (2, 10)
    monkeypatch.setattr(aot, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(EngineUnavailable, match="compiler"):
        torch_session(work.network, (2, *work.input_shape), 1, compiled=True)
    quantity = engine_selection._reference(work, Options(), "compiled")
    assert quantity.value is None and "no-such-compiler" in quantity.how
