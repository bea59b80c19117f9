"""`--engine auto`: what is tried, what is refused, what is chosen, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.export import datasheet, engine_selection, torch_session
from hwnas.export.build import Models, Target
from hwnas.export.engine_selection import Candidate, choose, contest, targets, why
from hwnas.export.engines import ENGINES
from hwnas.export.pipeline import export
from hwnas.export.torch_session import TorchSession
from hwnas.export.validate import validate
from profilers.base import Options, Samples
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from profilers.registry import get_profiler
from tests.hwnas.exporting import QUICK, REQUEST, SHALLOW, job


def samples(ms: float) -> Samples:
    blocks = np.full(5, ms)
    return Samples(blocks, np.ones(5), ms, 0.98 * ms, 1.02 * ms, ms, ms, 0, True)


def candidate(precision: str, ms: float | None, refused: str = "", engine: str = "openvino") -> Candidate:
    target = Target(ENGINES[engine], Options(precision=precision))
    return Candidate(target, refused, samples=None if ms is None else samples(ms))


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
    return contest(Models(job()), Options(), folder, 100, ("eager",), QUICK)


def test_all_are_timed_beside_torch(found):
    assert {c.target.name for c in found.candidates} == {t.name for t in targets(Options())}
    assert all(not c.refused and c.samples and c.top1 is not None and c.size > 1000 for c in found.candidates)
    assert found.chosen.name == min(found.candidates, key=lambda c: c.ms).target.name
    assert found.references["eager"].value > 0
    assert found.accuracy.startswith("measured: 400 images, digits validation")
    exact = [c for c in found.candidates if c.target.options.precision == "fp32"]
    assert all(c.lost == 0 and c.parity.max_rel < 1e-4 for c in exact)


def test_points_lost_are_those_of_the_validation_split(found):
    network = job()
    import torch

    images, labels = network.dataset.images("val", network.arch.r), network.dataset.labels("val")
    with torch.inference_mode():
        own = 100 * float((network.network.eval()(images).argmax(1) == labels).float().mean())
    for c in found.candidates:
        assert c.lost == pytest.approx(own - c.top1, abs=1e-4)


def test_what_loses_too_much_is_refused(monkeypatch, tmp_path):
    def spoil(self, candidate, session):
        candidate.lost = 3.0 if candidate.target.options.precision == "int8" else 0.0

    monkeypatch.setattr(engine_selection._Judge, "judge", spoil)
    result = contest(Models(job()), Options(), tmp_path, 2.9, (), QUICK)
    refused = {c.target.options.precision for c in result.candidates if c.refused}
    assert refused == {"int8"} and result.chosen.options.precision != "int8"
    assert all("loses 3.00 points, more than 2.9" in c.refused for c in result.candidates if c.refused)


def test_without_a_data_set_int8_needs_images_and_the_rest_is_judged_by_agreement(tmp_path):
    result = contest(Models(job(1, None)), Options(), tmp_path, 0.5, (), QUICK)
    by = {c.target.name: c for c in result.candidates}
    assert "--calibration" in by["onnxruntime int8"].refused
    assert by["onnxruntime fp32"].lost == 0 and by["onnxruntime fp32"].top1 is None
    assert result.accuracy.startswith("not measured: no data set")


def test_a_candidate_that_cannot_be_built_does_not_stop_the_others(monkeypatch, tmp_path):
    real = engine_selection.build

    def build(models, target, folder):
        if target.engine.name == "openvino":
            raise EngineUnavailable("plug-in missing")
        return real(models, target, folder)

    monkeypatch.setattr(engine_selection, "build", build)
    result = contest(Models(job(1, None)), Options(), tmp_path, 0.5, (), QUICK)
    assert {c.refused for c in result.candidates if c.target.engine.name == "openvino"} <= {
        "plug-in missing", "int8 needs images to set its ranges: --calibration",
    }  # fmt: skip
    assert result.chosen.name == "onnxruntime fp32"


def test_a_negative_drop_is_refused(tmp_path):
    for value in (-1.0, float("nan")):
        with pytest.raises(BadInput, match="drop"):
            contest(Models(job()), Options(), tmp_path, value, (), QUICK)


def test_exported_with_auto_the_folder_says_what_else_was_tried(tmp_path):
    request = replace(REQUEST, engine="auto", max_drop=100.0)
    sheet = export({"": job()}, request, tmp_path / "x")[""]
    assert sheet["engine"]["name"] in ("onnxruntime", "openvino")
    assert sheet["contest"]["why"] in (tmp_path / "x/datasheet.md").read_text()
    assert len(sheet["contest"]["candidates"]) == len(list(targets(Options())))
    assert datasheet.read(tmp_path / "x")["request"]["max_accuracy_drop"] == 100
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x"]
    assert validate(tmp_path / "x", plan=QUICK, depth=SHALLOW)["top1_agreement"] > 0.5


def test_torch_computes_as_its_network_and_says_why_it_cannot_compile(monkeypatch):
    work = job()
    session = TorchSession(work.network, (2, *work.input_shape), 1)
    images = np.random.default_rng(0).standard_normal((2, *work.input_shape), dtype=np.float32)
    import torch

    with torch.inference_mode():
        expected = work.network.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(session.infer(images), expected)
    assert session.output_shape == (2, 10)
    monkeypatch.setattr(torch_session, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(EngineUnavailable, match="compiler"):
        TorchSession(work.network, (2, *work.input_shape), 1, compiled=True)
    figure = engine_selection._reference(work, Options(), "compiled")
    assert figure.value is None and "no-such-compiler" in figure.how
