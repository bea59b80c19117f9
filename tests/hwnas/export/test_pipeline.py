from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from hwnas.data import picture as picture_module
from hwnas.export import datasheet
from hwnas.export.engines import ENGINES, script
from hwnas.export.pipeline import Request, export
from hwnas.export.quantity import Quantity
from hwnas.export.runtime_costs import CostPlan, measure_costs
from hwnas.export.validate import validate
from profilers.base import Options, TimingPlan
from profilers.errors import BadInput, EngineUnavailable, FingerprintMismatch
from profilers.registry import get_profiler
from tests.hwnas.exporting import QUICK, REQUEST, item

FILES = ["datasheet.json", "datasheet.md", "model.onnx", "model.ort", "reference.npz", "run.py"]
ALL = ["model.onnx", "model.ort", "model.xml", "model.bin", "model.sm86.engine", "model.pt2", "model.json"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    export({"one": item(0), "two": item(1, None)}, REQUEST, folder)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported / "one", tmp_path / "one")


def check(folder, **options):
    return validate(folder, plan=QUICK, costs=CostPlan.QUICK, **options)


def test_a_folder_holds_one_onnx_and_its_proof(exported):
    for name in ("one", "two"):
        assert sorted(p.name for p in (exported / name).iterdir()) == FILES
    sheet = datasheet.read(exported / "one")
    assert sheet["parity"]["digits test split"]["top1_agreement"] == 1
    assert sheet["parity"]["seeded noise"]["max_rel"] < 1e-4
    assert sheet["accuracy"]["top1"]["how"].startswith("measured: this engine on")
    measured = sheet["latency"]["measured"]
    assert measured["low"] <= measured["value"] <= measured["high"]
    assert sheet["latency"]["predicted"]["value"] is None
    assert sheet["runtime_costs"]["throughput"] == {} and sheet["runtime_costs"]["cold_start"]["value"] is None
    assert datasheet.read(exported / "two")["accuracy"]["top1"]["value"] is None
    assert "onnxruntime" in (exported / "one" / "datasheet.md").read_text()


def test_the_snippet_runs_as_printed(folder, monkeypatch):
    monkeypatch.chdir(folder)
    scope: dict[str, object] = {}
    code = compile(datasheet.read(folder)["snippet"], "snippet", "exec")
    exec(code, scope)
    assert scope["outputs"]["logits"].shape == (1, 10)


ALONE = """
import runpy, sys
allowed = set(sys.argv[1].split(","))
class Only:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in set("torch torchvision hwnas profilers lut onnx scipy openvino onnxruntime".split()) - allowed:
            raise ImportError(f"{top} is not there")
sys.meta_path.insert(0, Only())
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_run_py_needs_its_runtime_alone_and_answers_as_torch(tmp_path, engine):
    if not get_profiler(engine).status().available:
        pytest.skip(f"{engine} is not installed")
    work = item(0)
    export({"": work}, replace(REQUEST, engine=engine), tmp_path / "x")
    raw = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(raw).save(tmp_path / "digit.png")
    command = [sys.executable, "-I", "-c", ALONE, engine, tmp_path / "x/run.py", tmp_path / "digit.png"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answers = re.findall(r"^(\d): ([\d.]+) %$", done.stdout, re.MULTILINE)
    data, r = work.dataset, work.arch.r
    import torch

    image = torch.from_numpy(raw[None, None] / np.float32(255))
    image = torch.nn.functional.interpolate(image, (r, r), mode="bilinear", antialias=True, align_corners=False)
    with torch.inference_mode():
        shares = work.network.eval()((image - data.mean[0]) / data.std[0]).softmax(1)[0]
    assert len(answers) == 5
    for label, share in answers:
        assert float(share) == pytest.approx(100 * float(shares[int(label)]), abs=0.6)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_run_py_is_the_code_of_training_and_a_few_lines_more(engine):
    text, picture = script(ENGINES[engine], Options(batch=4), ALL), Path(picture_module.__file__).read_text()
    compile(text, "run.py", "exec")
    assert picture.partition('"""')[2] in text
    most = 84 if ENGINES[engine].gpu else {"torch": 65}.get(engine, 60)
    assert len(text.splitlines()) - len(picture.splitlines()) <= most
    assert max(map(len, text.splitlines())) <= 120


def run_script(folder, *arguments):
    command = [sys.executable, folder / "run.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)


@pytest.mark.slow
def test_run_py_refuses_in_one_line(folder, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:1000])
    cases = {
        (): "0 arguments; python run.py IMAGE", ("a", "b"): "2 arguments", (tmp_path / "none.png",): "missing",
        (tmp_path / "text.png",): "no image", (tmp_path / "empty.png",): "no image",
        (tmp_path / "cut.png",): "cut.png", (tmp_path,): "Is a directory",
    }  # fmt: skip
    for arguments, message in cases.items():
        done = run_script(folder, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert message in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    for name in ("model.ort", "model.onnx"):
        (folder / name).write_bytes(b"nonsense")
    done = run_script(folder, whole)
    assert done.returncode == 2 and "run.py: the engine cannot be run" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1
    (folder / "datasheet.json").write_text("{}")
    done = run_script(folder, whole)
    assert done.returncode == 2 and "run.py: datasheet.json is damaged" in done.stderr


def test_preprocessing_and_labels_are_in_the_onnx(exported):
    facts = {p.key: p.value for p in onnx.load(exported / "one/model.onnx").metadata_props}
    how = json.loads(facts["preprocessing"])
    assert how["mean"] == [0.3059] and how["size"] == datasheet.read(exported / "one")["architecture"]["r"]
    assert json.loads(facts["labels"]) == list("0123456789")


def test_validate_measures_again_and_agrees(folder):
    found = check(folder)
    assert found["top1_agreement"] == 1
    assert found["parity_max_abs"] < 1e-3
    assert found["measured_low"] <= found["measured_ms"] <= found["measured_high"]
    assert found["within_interval"] is None  # no table predicts it
    assert found["top1"] == datasheet.read(folder)["accuracy"]["top1"]["value"]
    stated, settled = (
        {name for name, quantity in of["timing"]["percentiles"].items() if quantity["value"] is not None}
        for of in (datasheet.read(folder)["latency"], found)
    )  # a short run settles few
    assert set(found["changes"]) == {"latency", "accuracy", *(f"latency, {name}" for name in stated & settled)}
    assert found["changes"]["accuracy"]["change"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "inside"), [(1.0, True), (0.01, False), (100.0, False)])
def test_validate_compares_with_the_interval_of_a_prediction(folder, factor, inside):
    ms = factor * datasheet.read(folder)["latency"]["measured"]["value"]
    interval = {"value": ms, "unit": "ms", "how": "predicted by a table", "low": ms / 8, "high": 8 * ms}
    edit(folder, lambda sheet: sheet["latency"]["predicted"].update(interval))
    found = check(folder)
    assert found["within_interval"] is inside is (found["low"] <= found["measured_ms"] <= found["high"])
    assert (found["predicted_ms"], found["low"], found["high"]) == (ms, ms / 8, 8 * ms)


def test_running_costs_are_figures_with_intervals(exported):
    plan = TimingPlan(min_rounds=3, max_rounds=4, warmup_runs=1, warmup_max_runs=1)
    options, files = Options(), ["model.onnx", "model.ort"]
    found = measure_costs(ENGINES["onnxruntime"], options, exported / "one", files, CostPlan((1, 4), 1, plan))
    assert set(found["throughput"]) == {"1", "4"}
    for quantity in (*found["throughput"].values(), found["cold_start"], found["load"], found["peak_memory"]):
        assert quantity["how"].startswith("measured") and quantity["low"] <= quantity["value"] <= quantity["high"]
    assert found["peak_memory"]["value"] > 10
    assert found["cold_start"]["value"] >= found["load"]["value"]


def test_running_costs_say_why_they_are_not_there(exported):
    depth = CostPlan((64,), 1)
    found = measure_costs(ENGINES["tensorrt"], Options(), exported / "one", ["model.onnx"], depth, "no GPU")
    assert {f["how"] for f in (*found["throughput"].values(), found["load"])} == {"not measured: no GPU"}


def edit(folder, change):
    sheet = json.loads((folder / "datasheet.json").read_text())
    change(sheet)
    sheet.pop("checksum")
    datasheet.write(folder, {k: v for k, v in sheet.items() if k not in ("kind", "schema")})


def test_an_edited_datasheet_is_refused(folder):
    text = (folder / "datasheet.json").read_text()
    (folder / "datasheet.json").write_text(text.replace('"precision": "fp32"', '"precision": "fp16"', 1))
    with pytest.raises(BadInput, match="changed after it was written"):
        check(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.ort", "run.py"])
def test_a_swapped_file_is_refused(exported, folder, name):
    (folder / name).write_bytes((exported / "two" / name).read_bytes() + b"\n")
    with pytest.raises(BadInput, match="SHA-256 differs"):
        check(folder)


def test_external_data_is_refused(folder):
    model = onnx.load(folder / "model.onnx")
    onnx.save_model(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    edit(folder, lambda sheet: sheet["files"].update(datasheet.file_facts(folder, ["model.onnx"])))
    with pytest.raises(BadInput, match="in other files"):
        check(folder)


def test_a_file_name_that_leads_outside_is_refused(folder):
    edit(folder, lambda sheet: sheet["files"].update({"../../x": {"sha256": 64 * "0", "bytes": 1}}))
    with pytest.raises(BadInput, match=r"a file called '../../x'; allowed: a name without folders"):
        check(folder)


def test_another_device_is_refused_unless_forced(folder):
    edit(folder, lambda sheet: sheet["fingerprint"].update(device="Another CPU"))
    with pytest.raises(FingerprintMismatch, match="Another CPU"):
        check(folder)
    assert check(folder, force=True)["differences"]


def test_only_compiled_engines_can_be_rebuilt(tmp_path):
    export({"": item()}, replace(REQUEST, engine="onnx"), tmp_path / "x")
    with pytest.raises(BadInput, match="--rebuild of onnx, which"):
        check(tmp_path / "x", anew=True)


def logits(path, images):
    with get_profiler("onnxruntime").load(path) as session:
        return session.infer(images)


def test_the_optimised_model_is_the_network(exported):
    images = np.random.default_rng(0).standard_normal((1, *item(0).input_shape), dtype=np.float32)
    same = [logits(exported / "one" / name, images) for name in ("model.onnx", "model.ort")]
    np.testing.assert_array_equal(*same)
    assert datasheet.read(exported / "one")["engine"]["file"] == "model.ort"


@pytest.mark.parametrize("change", [{"flags": ["asimd", "avx512f"]}, {"runtime_version": "1.0"}])
def test_a_model_optimised_for_another_cpu_is_not_run_but_rebuilt(folder, change):
    here = datasheet.read(folder)["fingerprint"]
    edit(folder, lambda sheet: sheet["fingerprint"].update(change))
    with pytest.raises(FingerprintMismatch, match=r"its .ort file is optimised for version .*--rebuild"):
        check(folder, force=True)
    (name,) = change
    found = check(folder, anew=True)
    assert found["differences"] and found["differences"][0].startswith(name) and "latency" in found["changes"]
    sheet = datasheet.read(folder)
    assert sheet["fingerprint"][name] == here[name] and set(sheet["files"]) == {*FILES} - {FILES[0], FILES[1]}
    assert check(folder)["top1_agreement"] == 1


def test_elsewhere_run_py_takes_the_plain_model(folder, tmp_path):
    text = (folder / "run.py").read_text()
    (folder / "run.py").write_text(text.replace(get_profiler("onnxruntime").status().version, "1.0"))
    (folder / "model.ort").write_bytes(b"nonsense")
    Image.new("L", (8, 8), 99).save(tmp_path / "x.png")
    done = subprocess.run([sys.executable, folder / "run.py", tmp_path / "x.png"], capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_gets_its_ir_and_both_files_are_the_engine(tmp_path, precision):
    profiler = get_profiler("openvino")
    if not profiler.status().available or precision not in profiler.supported_precisions():
        pytest.skip(f"no OpenVINO that computes in {precision}")
    wanted = replace(REQUEST, engine="openvino", options=Options(precision=precision))
    sheet = export({"": item()}, wanted, tmp_path / "x")[""]
    assert {"model.xml", "model.bin", "model.onnx"} < set(sheet["files"])
    weights = sum(np.prod(t.dims) for t in onnx.load(tmp_path / "x/model.onnx").graph.initializer)
    size = (tmp_path / "x/model.bin").stat().st_size
    assert (size < 3 * weights) == (precision == "bf16")
    assert check(tmp_path / "x")["top1_agreement"] > 0.98
    (tmp_path / "x/model.bin").write_bytes(bytes(size))
    with pytest.raises(BadInput, match=r"model\.bin is not the file"):
        check(tmp_path / "x")
    edit(tmp_path / "x", lambda sheet: sheet["files"].pop("model.bin"))
    with pytest.raises(BadInput, match=r"model\.xml as an engine of openvino"):
        check(tmp_path / "x")


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("ten years of work")
    with pytest.raises(BadInput, match="holds something else"):
        export({"": item()}, replace(REQUEST, engine="onnx"), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": Options(precision="fp8")}, "precision"),
        ({"engine": "tflite"}, "unknown engine"),
        ({"gpus": ("sm86",)}, "--target sm86"),
        ({"gpus": ("sm86",), "engine": "auto"}, "--target sm86"),
    ],
)
def test_a_failed_export_leaves_nothing(tmp_path, changes, message):
    with pytest.raises(BadInput, match=message):
        export({"": item()}, replace(REQUEST, **changes), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_figures_say_how_they_were_obtained():
    assert str(Quantity(1.25, "ms", "measured: here", 1.2, 1.3)) == "1.25 ms (1.2 to 1.3), measured: here"
    assert str(Quantity(None, "%", "not measured: no data")) == "not measured: no data"
    with pytest.raises(BadInput):
        Quantity(1.0, "ms", "guessed")


@pytest.fixture
def gpu_request():
    pytest.importorskip("tensorrt_rtx")
    if get_profiler("tensorrt-rtx").status().available:
        pytest.skip("there is a GPU here")
    return Request("tensorrt-rtx", Options(batch=64), ("sm86", "sm89"), plan=QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_an_engine_for_a_gpu_that_is_not_here_says_that_it_was_not_measured(tmp_path, gpu_request, precision):
    wanted = replace(gpu_request, options=replace(gpu_request.options, precision=precision))
    sheet = export({"": item()}, wanted, tmp_path / "x")[""]
    names = sorted(p.name for p in (tmp_path / "x").iterdir())
    assert [n for n in names if n.endswith(".onnx")] == ["model.onnx"]
    assert "model.sm86-sm89.engine" in names
    assert set(sheet["files"]) == set(names) - {"datasheet.json", "datasheet.md"}
    assert sheet["latency"]["measured"]["value"] is None
    assert sheet["latency"]["measured"]["how"].startswith("not measured: ")
    assert sheet["runtime_costs"]["cold_start"]["how"].startswith("not measured: ")
    assert sheet["parity"] == {}
    with pytest.raises(EngineUnavailable):
        check(tmp_path / "x", force=True)


@pytest.mark.slow
def test_rebuilding_replaces_the_engine_and_signs_the_datasheet(tmp_path, gpu_request):
    from hwnas.export.rebuild import rebuild

    export({"": item()}, gpu_request, tmp_path / "x")
    before = (tmp_path / "x/model.onnx").read_bytes()
    sheet = rebuild(tmp_path / "x", ("sm120",))
    names = {p.name for p in (tmp_path / "x").iterdir()}
    assert {n for n in names if n.endswith(".engine")} == {"model.sm120.engine"}
    assert set(sheet["files"]) == names - {"datasheet.json", "datasheet.md"}
    assert (tmp_path / "x/model.onnx").read_bytes() == before
    assert "model.sm120.engine" in (tmp_path / "x/run.py").read_text()
    with pytest.raises(EngineUnavailable):  # none to build for
        check(tmp_path / "x", anew=True)


def test_where_the_data_is_not_at_hand_parity_alone_is_checked(folder, monkeypatch):
    def missing(name):
        raise BadInput("no folder of images here")

    monkeypatch.setattr("hwnas.data.get_dataset", missing)
    found = check(folder)
    assert found["top1"] is None and found["accuracy"] == "not measured: no folder of images here"
    assert found["agreement_on"] == "seeded noise" and "accuracy" not in found["changes"]


def test_the_page_can_be_read_by_somebody_who_does_not_know_the_project(exported):
    text = (exported / "one/datasheet.md").read_text()
    assert "An image classifier of 10 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), ready to run: `model.ort`" in text
    assert "multiply-adds an image" in text and "\n\n\n" not in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        f"## {title}" for title in ("The network", "This engine", "Accuracy by class", "Input", "Load and run it",
                                    "Make it and check it again", "Files", "Measured on")
    ]  # fmt: skip
