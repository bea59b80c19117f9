from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest

from hwnas.data import get_dataset
from hwnas.export import datasheet
from hwnas.export.datasheet import Figure
from hwnas.export.job import Job, counted
from hwnas.export.run import export
from hwnas.export.validate import validate
from hwnas.nets import Network
from hwnas.space import get_space
from profilers.base import Options, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, FingerprintMismatch
from profilers.registry import get_profiler

QUICK = TimingPlan(min_rounds=5, max_rounds=10, warmup_runs=2, warmup_max_runs=3)


def job(i: int = 0, dataset: str | None = "digits") -> Job:
    space = get_space("tiny")
    arch = space.decode(space.sample(i + 1, np.random.default_rng(0)))[i]
    network = Network(space.layers(arch), arch, seed=i)
    return Job(space, arch, network, "random", counted(space, arch), (), dataset and get_dataset(dataset))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    export({"one": job(0), "two": job(1, None)}, "onnxruntime", Options(), folder, QUICK)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported / "one", tmp_path / "one")


def test_a_folder_holds_one_onnx_and_its_proof(exported):
    for name in ("one", "two"):
        files = sorted(p.name for p in (exported / name).iterdir())
        assert files == ["datasheet.json", "datasheet.md", "model.onnx", "reference.npz"]
    sheet = datasheet.read(exported / "one")
    assert sheet["parity"]["digits test split"]["top1_agreement"] == 1
    assert sheet["parity"]["seeded noise"]["max_rel"] < 1e-4
    assert sheet["accuracy"]["top1"]["how"].startswith("measured: this engine on")
    assert (
        sheet["latency"]["measured"]["low"]
        <= sheet["latency"]["measured"]["value"]
        <= sheet["latency"]["measured"]["high"]
    )
    assert sheet["latency"]["predicted"]["value"] is None
    assert datasheet.read(exported / "two")["accuracy"]["top1"]["value"] is None
    assert "onnxruntime" in (exported / "one" / "datasheet.md").read_text()


def test_the_snippet_runs_as_printed(folder, monkeypatch):
    monkeypatch.chdir(folder)
    scope: dict[str, object] = {}
    code = compile(datasheet.read(folder)["snippet"], "snippet", "exec")
    exec(code, scope)
    assert scope["logits"].shape == (1, 10)


def test_validate_measures_again_and_agrees(folder):
    found = validate(folder, plan=QUICK)
    assert found["top1_agreement"] == 1
    assert found["parity_max_abs"] < 1e-3
    assert found["measured_ms"] > 0
    assert found["within_interval"] is None
    assert found["top1"] == datasheet.read(folder)["accuracy"]["top1"]["value"]


def edit(folder, change):
    sheet = json.loads((folder / "datasheet.json").read_text())
    change(sheet)
    sheet.pop("checksum")
    datasheet.write(folder, {k: v for k, v in sheet.items() if k not in ("kind", "schema")})


def test_an_edited_datasheet_is_refused(folder):
    text = (folder / "datasheet.json").read_text()
    (folder / "datasheet.json").write_text(text.replace('"precision": "fp32"', '"precision": "fp16"', 1))
    with pytest.raises(BadInput, match="changed after it was written"):
        validate(folder, plan=QUICK)


def test_a_swapped_engine_is_refused(exported, folder):
    shutil.copy(exported / "two" / "model.onnx", folder / "model.onnx")
    with pytest.raises(BadInput, match="SHA-256 differs"):
        validate(folder, plan=QUICK)


def test_external_data_is_refused(folder):
    model = onnx.load(folder / "model.onnx")
    onnx.save_model(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    edit(folder, lambda sheet: sheet["files"].update(datasheet.file_facts(folder, ["model.onnx"])))
    with pytest.raises(BadInput, match="in other files"):
        validate(folder, plan=QUICK)


def test_a_file_name_that_leads_outside_is_refused(folder):
    edit(folder, lambda sheet: sheet["files"].update({"../../x": {"sha256": "0", "bytes": 1}}))
    with pytest.raises(BadInput, match="leads out of"):
        validate(folder, plan=QUICK)


def test_another_device_is_refused_unless_forced(folder):
    edit(folder, lambda sheet: sheet["fingerprint"].update(device="Another CPU"))
    with pytest.raises(FingerprintMismatch, match="Another CPU"):
        validate(folder, plan=QUICK)
    assert validate(folder, force=True, plan=QUICK)["differences"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(BadInput, match="holds something else"):
        export({"": job()}, "onnx", Options(), tmp_path, QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_failed_export_leaves_nothing(tmp_path):
    with pytest.raises(BadInput, match="precision"):
        export({"": job()}, "onnxruntime", Options(precision="fp8"), tmp_path / "x", QUICK)
    with pytest.raises(BadInput, match="unknown engine"):
        export({"": job()}, "tflite", Options(), tmp_path / "x", QUICK)
    assert list(tmp_path.iterdir()) == []


def test_figures_say_how_they_were_obtained():
    assert str(Figure(1.25, "ms", "measured: here", 1.2, 1.3)) == "1.25 ms (1.2 to 1.3), measured: here"
    assert str(Figure(None, "%", "not measured: no data")) == "not measured: no data"
    with pytest.raises(BadInput):
        Figure(1.0, "ms", "guessed")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_for_a_gpu_that_is_not_here_says_that_it_was_not_measured(tmp_path, precision):
    pytest.importorskip("tensorrt_rtx")
    if get_profiler("tensorrt-rtx").status().available:
        pytest.skip("there is a GPU here")
    options = Options(precision=precision, batch=64)
    sheet = export({"": job()}, "tensorrt-rtx", options, tmp_path / "x", QUICK, ["sm86", "sm89"])[""]
    names = sorted(p.name for p in (tmp_path / "x").iterdir())
    assert [n for n in names if n.endswith(".onnx")] == ["model.onnx"]
    assert "model.sm86-sm89.engine" in names
    assert set(sheet["files"]) == set(names) - {"datasheet.json", "datasheet.md"}
    assert sheet["latency"]["measured"]["value"] is None
    assert sheet["latency"]["measured"]["how"].startswith("not measured: ")
    assert sheet["parity"] == {}
    with pytest.raises(EngineUnavailable):
        validate(tmp_path / "x", force=True, plan=QUICK)


def test_targets_are_for_gpus(tmp_path):
    with pytest.raises(BadInput, match="--target sm86"):
        export({"": job()}, "onnxruntime", Options(), tmp_path / "x", QUICK, ["sm86"])
