"""Any model goes the whole way: parity, choice, datasheet, run.py, validate; or is refused in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from PIL import Image

from hwnas.export import datasheet, engine_selection
from hwnas.export.labelled import outputs_of
from hwnas.export.model_source import ModelOptions, open_model_source
from hwnas.export.pipeline import export
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.source import open_source
from hwnas.export.source_options import SourceOptions
from hwnas.export.validate import validate
from hwnas.export.weights import Wanted
from profilers.base import Options
from profilers.errors import BadInput, HwnasError, MeasurementFailed
from profilers.onnx.quantise import QuantConfig
from profilers.registry import get_profiler
from tests.hwnas.export import models
from tests.hwnas.export.test_pipeline import ALONE
from tests.hwnas.exporting import QUICK, REQUEST

ONNX = replace(REQUEST, engine="onnx")


def shipped(made, tmp_path, request=ONNX, name="model.onnx", batch=None, **about):
    """The datasheet and the folder of a model that was written to a file."""
    path = models.save(made, tmp_path / name) if isinstance(made, onnx.ModelProto) else made
    source = open_model_source(path, ModelOptions(**about), batch)
    sheet = export({"": source.item("")}, request, tmp_path / "out")[""]
    assert datasheet.read(tmp_path / "out")["name"] == sheet["name"]
    return sheet, tmp_path / "out"


def run(folder, *arguments, alone="onnxruntime"):
    command = [sys.executable, "-I", "-c", ALONE, alone, folder / "run.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)


def again(folder):
    return validate(folder, plan=QUICK, costs=CostPlan.QUICK)


def answers(path, feeds):
    """ONNX Runtime's own, of the file as it was written."""
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feeds)


def picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


WHOLE_WAY = {
    "softmax": models.classifier(softmax=True),
    "NHWC": models.classifier(1, layout="NHWC"),
    "names with slashes": models.classifier(names=("serving/input 0:0", "a/b c")),
    "fixed batch": models.classifier(3),
    "opset 9": models.classifier(opset=9),
    "opset 22": models.classifier(opset=22),
    "fp16": models.classifier(kind=models.HALF),
    "bytes": models.classifier(1, layout="NHWC", kind=models.BYTE),
    "tokens": models.tokens(),
    "rank 4": models.segmenter(),
    "no inputs": models.nothing(),
}


@pytest.mark.parametrize("engine", ["onnx", "onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", WHOLE_WAY)
def test_a_model_of_any_kind_goes_the_whole_way(kind, engine, tmp_path):
    if not get_profiler(engine.replace("onnx", "onnxruntime") if engine == "onnx" else engine).status().available:
        pytest.skip(f"{engine} is not installed")
    made = WHOLE_WAY[kind]
    batch = 3 if kind == "fixed batch" else 1
    sheet, folder = shipped(made, tmp_path, replace(ONNX, engine=engine, options=Options(batch=batch)))
    assert sheet["reference"] == "ONNX Runtime, graph optimisation disabled"
    parity = sheet["parity"]["seeded noise"]
    assert parity["max_rel"] < (2e-2 if kind == "fp16" else 1e-4)
    assert set(sheet["inputs"]) == {i.name for i in made.graph.input}
    assert set(sheet["outputs"]) == {o.name for o in made.graph.output}
    assert (sheet["preprocessing"] is None) == (kind in ("tokens", "rank 4", "no inputs"))
    assert sheet["accuracy"]["top1"]["value"] is None and sheet["architecture"] is None
    assert sheet["latency"]["measured"]["value"] > 0 and (folder / "datasheet.md").is_file()
    found = again(folder)
    assert found["parity_max_abs"] == pytest.approx(parity["max_abs"], abs=1e-6)
    assert found["top1_agreement"] == parity["top1_agreement"] and found["accuracy"].startswith("not measured")


def test_several_outputs_are_compared_each(tmp_path):
    sheet, folder = shipped(models.tokens(), tmp_path)
    parity = sheet["parity"]["seeded noise"]
    assert set(parity["outputs"]) == {"mean/of rows", "best"} and parity["top1_agreement"] is None
    assert parity["max_rel"] == max(p["max_rel"] for p in parity["outputs"].values())
    assert set(again(folder)["parity_outputs"]) == {"mean/of rows", "best"}
    assert "output `mean/of rows`" in (folder / "datasheet.md").read_text()


def test_an_engine_that_computes_something_else_is_found_out(tmp_path):
    """Parity is measured on the engine: a model whose engine was swapped for another of the same form differs."""
    sheet, folder = shipped(models.classifier(), tmp_path)
    other = models.classifier()
    other.graph.initializer[0].CopyFrom(models.constant("w0", (8, 3, 3, 3), 99))
    models.save(other, folder / "model.onnx")
    facts = datasheet.file_facts(folder, list(sheet["files"]))
    datasheet.write(folder, sheet | {"files": facts})
    assert again(folder)["parity_max_rel"] > 0.01 > sheet["parity"]["seeded noise"]["max_rel"]


# Accuracy and preprocessing


@pytest.fixture
def labelled(tmp_path):
    """Six images in each of four folders named as classes are not."""
    for k, name in enumerate(("ant", "bee", "cat", "dog")):
        for i in range(6):
            picture(tmp_path / "images" / name / f"{i}.png", 10 * k + i)
    return tmp_path / "images"


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_accuracy_is_that_of_the_model_on_images_prepared_as_said(labelled, tmp_path, layout):
    how = {"mean": [0.5], "std": [0.25], "crop": 1.0}
    (tmp_path / "how.json").write_text(json.dumps(how))
    (tmp_path / "names.txt").write_text("dog\nCat\nbee\nant\n")
    made = models.classifier(1, layout=layout)
    sheet, folder = shipped(
        made, tmp_path, images=labelled, labels=tmp_path / "names.txt", preprocessing=str(tmp_path / "how.json")
    )
    right = 0
    for label, name in enumerate(("dog", "cat", "bee", "ant")):
        for path in (labelled / name).iterdir():
            values = (np.asarray(Image.open(path), np.float32) / 255 - 0.5) / 0.25
            image = values[None] if layout == "NHWC" else values.transpose(2, 0, 1)[None]
            right += int(answers(tmp_path / "model.onnx", {"pixels": image})[0].argmax() == label)
    top1 = sheet["accuracy"]["top1"]
    assert top1["value"] == pytest.approx(100 * right / 24) and top1["how"].startswith("measured: this engine on 24")
    assert sheet["warnings"] == [] and sheet["preprocessing"]["labels"] == ["dog", "Cat", "bee", "ant"]
    assert sheet["parity"][f"images of {labelled}"]["top1_agreement"] == 1
    found = again(folder)
    assert found["top1"] == top1["value"] and found["top1_agreement"] == 1
    for path in sorted(labelled.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    found = again(folder)
    assert found["top1"] is None and found["accuracy"].startswith("not measured: no images in")


def test_what_is_assumed_is_warned_of(labelled, tmp_path):
    sheet, folder = shipped(models.classifier(), tmp_path, images=labelled)
    assumed, order = sheet["warnings"]
    assert "--preprocessing imagenet" in assumed and "in sorted order" in order
    assert assumed in (folder / "datasheet.md").read_text()
    assert sheet["preprocessing"]["mean"] == [0.485, 0.456, 0.406]


def test_a_model_that_was_exported_before_says_how_its_images_are_prepared(tmp_path):
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\ndog\n")
    first, folder = shipped(models.classifier(), tmp_path, preprocessing="none", labels=tmp_path / "names.txt")
    second = open_model_source(folder / "model.onnx", ModelOptions()).item("")
    how = ("mean", "std", "crop", "interpolation", "labels", "resize")
    assert [second.preprocessing[k] for k in how] == [first["preprocessing"][k] for k in how]
    assert second.warnings == () and second.preprocessing["source"] == "the ONNX file's metadata"
    odd = onnx.load(folder / "model.onnx")
    for entry in odd.metadata_props:
        entry.value = '{"mean": "x"}'
    third = open_model_source(models.save(odd, tmp_path / "odd.onnx"), ModelOptions()).item("")
    assert "--preprocessing imagenet" in third.warnings[0] and third.preprocessing["labels"] == list("0123")


def test_folders_are_outputs_by_name_number_or_order():
    root = Path("d")
    assert outputs_of(["b", "c"], ["a", "b", "c"], root) == ({"b": 1, "c": 2}, "")
    assert outputs_of(["tabby_cat"], ["Tabby cat", "x"], root) == ({"tabby_cat": 0}, "")
    assert outputs_of(["2", "10"], [str(i) for i in range(11)], root) == ({"2": 2, "10": 10}, "")
    found, note = outputs_of(["n01", "n02"], ["0", "1"], root)
    assert found == {"n01": 0, "n02": 1} and "sorted order" in note
    with pytest.raises(BadInput, match=r"folder 'n01' in d is none of the model's 3 outputs.*--labels FILE"):
        outputs_of(["n01", "n02"], ["0", "1", "2"], root)


def test_probabilities_are_not_made_probabilities_again(tmp_path):
    sheet, folder = shipped(models.classifier(softmax=True), tmp_path, preprocessing="none")
    assert sheet["preprocessing"]["outputs"] == "probabilities"
    pixels = picture(tmp_path / "x.png")
    done = run(folder, tmp_path / "x.png")
    assert done.returncode == 0, done.stderr
    image = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    expected = answers(tmp_path / "model.onnx", {"pixels": image})[0][0]
    first, _, share = done.stdout.splitlines()[0].partition(": ")
    assert int(first) == expected.argmax() and float(share.split()[0]) == pytest.approx(100 * expected.max(), abs=0.1)


def test_a_torch_module_is_compared_with_torch_and_brings_its_preprocessing(tmp_path):
    import torch
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()
    net.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7), "crop_pct": 0.9, "interpolation": "bicubic"}
    sheet, folder = shipped(net, tmp_path, shapes={"": (1, 3, 20, 20)})
    how = sheet["preprocessing"]
    assert sheet["reference"] == "torch" and how["source"] == "the module's own" and how["mean"] == [0.1, 0.2, 0.3]
    assert (how["resize"], how["interpolation"]) == (22, "bicubic, antialiased") and sheet["warnings"] == []
    picture(tmp_path / "x.png")
    done = run(folder, tmp_path / "x.png")
    image = Image.open(tmp_path / "x.png").resize((22, 22), Image.Resampling.BICUBIC).crop((1, 1, 21, 21))
    values = (torch.from_numpy(np.asarray(image, np.float32) / 255) - torch.tensor(how["mean"])) / torch.tensor(
        how["std"]
    )
    with torch.inference_mode():
        shares = net(values.permute(2, 0, 1)[None]).softmax(1)[0]
    for line in done.stdout.splitlines():
        label, _, share = line.partition(": ")
        assert float(share.split()[0]) == pytest.approx(100 * float(shares[int(label)]), abs=0.1)
    assert again(folder)["top1_agreement"] == 1


# run.py of models without images


def test_run_py_runs_on_arrays_with_the_runtime_and_numpy_alone(tmp_path):
    _, folder = shipped(models.tokens(), tmp_path)
    feeds = {"ids": np.arange(6)[None], "mask": np.ones((1, 6), np.int64)}
    np.savez(tmp_path / "in.npz", **feeds)
    np.save(tmp_path / "mask.npy", feeds["mask"])
    done = run(folder, tmp_path / "in.npz", "--out", tmp_path / "out.npz")
    assert done.returncode == 0, done.stderr
    mean, best = answers(tmp_path / "model.onnx", feeds)
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_allclose(found["mean/of rows"], mean, rtol=1e-5)
        np.testing.assert_array_equal(found["best"], best)
    assert f"best: [1] int64, {best[0]} to {best[0]}" in done.stdout
    for arguments, message in {
        (): "no arrays", (tmp_path / "none.npz",): "No such file",
        (f"mask={tmp_path / 'mask.npy'}",): "no input ids; the model takes ids [1, 6] int64, mask [1, 6] int64",
        (tmp_path / "in.npz", f"ids={folder / 'datasheet.json'}"): "cannot be read",
        (tmp_path / "in.npz", f"idz={tmp_path / 'mask.npy'}"): "an unknown input idz",
    }.items():  # fmt: skip
        done = run(folder, *arguments)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_run_py_of_a_model_without_inputs_runs(tmp_path):
    _, folder = shipped(models.nothing(), tmp_path)
    done = run(folder)
    assert done.returncode == 0 and done.stdout.startswith("y: [2, 3] float32"), done.stderr


# Dynamic and fixed batches


@pytest.mark.parametrize("engine", ["onnx", "onnxruntime", "openvino"])
def test_an_engine_of_any_batch(tmp_path, engine):
    if engine == "openvino" and not get_profiler(engine).status().available:
        pytest.skip("openvino is not installed")
    sheet, folder = shipped(models.tokens(), tmp_path, replace(ONNX, engine=engine, dynamic=True))
    assert sheet["engine"]["dynamic_batch"] and sheet["engine"]["batch"] == 1
    assert ": " + engine in (folder / "datasheet.md").read_text().splitlines()[0]
    assert "any batch" in (folder / "datasheet.md").read_text()
    feeds = {"ids": np.arange(18).reshape(3, 6), "mask": np.ones((3, 6), np.int64)}
    np.savez(tmp_path / "in.npz", **feeds)
    done = run(folder, tmp_path / "in.npz", alone="openvino" if engine == "openvino" else "onnxruntime")
    assert done.returncode == 0 and "mean/of rows: [3, 8] float32" in done.stdout, done.stderr
    assert again(folder)["parity_max_rel"] < 1e-5


def test_a_torch_module_of_any_batch(tmp_path):
    from torch import nn

    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()
    _, folder = shipped(net, tmp_path, replace(ONNX, dynamic=True), shapes={"": (1, 3, 20, 20)})
    (found,) = answers(folder / "model.onnx", {"input": np.zeros((7, 3, 20, 20), np.float32)})
    assert found.shape == (7, 5)


def test_a_batch_that_the_graph_fixes_is_the_one_that_is_used(tmp_path):
    path = models.save(models.classifier(3), tmp_path / "m.onnx")
    with open_source(path) as source:
        assert source.batch(64) == 3
    with pytest.raises(BadInput, match="batch 8 for a model of batch 3"):
        open_source(path, SourceOptions(batch=8))
    item = open_model_source(path, ModelOptions()).item("")
    with pytest.raises(BadInput, match="input pixels has a fixed first dimension; allowed: --batch 3"):
        export({"": item}, replace(ONNX, dynamic=True, options=Options(batch=3)), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_throughput_is_measured_where_the_batch_is_open(tmp_path):
    costs = CostPlan((1, 2), 0, QUICK)
    open_, _ = shipped(models.classifier(), tmp_path, replace(ONNX, costs=costs))
    assert all(rate["value"] > 0 for rate in open_["runtime_costs"]["throughput"].values())
    fixed, _ = shipped(models.classifier(1), tmp_path, replace(ONNX, costs=costs))
    rates = fixed["runtime_costs"]["throughput"]
    assert rates["1"]["value"] > 0 and rates["2"]["how"].startswith("not measured: batch 2 for a model of batch 1")


# int8 and auto


def arrays(path, count=24, **shapes):
    rng = np.random.default_rng(0)
    np.savez(path, **{name: rng.standard_normal((count, *shape)).astype(np.float32) for name, shape in shapes.items()})
    return path


def test_int8_with_arrays_of_any_inputs(tmp_path):
    calibration = arrays(tmp_path / "c.npz", image=(3, 12, 12))
    request = replace(ONNX, options=Options(precision="int8"), calibration=calibration)
    sheet, folder = shipped(models.segmenter("N"), tmp_path, request)
    proto = onnx.load(folder / "model.onnx")
    assert any(n.op_type == "QuantizeLinear" for n in proto.graph.node)
    assert f"ranges from 18 of {calibration}" in sheet["weights"]
    assert 1e-4 < sheet["parity"]["seeded noise"]["max_rel"] < 0.2


def test_int8_with_a_folder_of_images(labelled, tmp_path):
    request = replace(ONNX, options=Options(precision="int8"), calibration=labelled)
    sheet, _ = shipped(models.classifier(1, layout="NHWC"), tmp_path, request, preprocessing="none")
    assert f"ranges from 18 of {labelled}" in sheet["weights"]
    assert sheet["parity"]["seeded noise"]["top1_agreement"] is not None


def test_int8_of_tokens_takes_whole_numbers(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "c.npz", ids=rng.integers(0, 20, (16, 6)), mask=np.ones((16, 6), np.int64))
    source = open_model_source(models.save(models.tokens(), tmp_path / "m.onnx"), ModelOptions()).item("")
    assert len(source._calibration(tmp_path / "c.npz").runs) == 12
    np.savez(tmp_path / "d.npz", ids=rng.integers(0, 20, (16, 6)))
    with pytest.raises(BadInput, match=r"has no array 'mask'; allowed: an array for each input"):
        source._calibration(tmp_path / "d.npz")
    np.savez(tmp_path / "e.npz", ids=rng.integers(0, 20, (16, 5)), mask=np.ones((16, 6), np.int64))
    with pytest.raises(BadInput, match=r"array ids of shape \(16, 5\)"):
        source._calibration(tmp_path / "e.npz")
    with pytest.raises(BadInput, match=r"a model that takes no image; allowed: FILE\.npz with ids, mask"):
        source._calibration(tmp_path)


def quantised(tmp_path):
    calibration = arrays(tmp_path / "c.npz", pixels=(3, 16, 16))
    item = open_model_source(models.save(models.classifier(), tmp_path / "f.onnx"), ModelOptions()).item("")
    return models.onnx.load_model_from_string(item.quantise(calibration, QuantConfig.for_this_cpu(), 0).onnx(None))


def test_a_model_that_is_int8_already_stays_as_it_is(tmp_path):
    made = quantised(tmp_path)
    path = models.save(made, tmp_path / "q.onnx")
    with open_source(path) as source:
        assert source.precision == "int8"
    with pytest.raises(BadInput, match="fp32 of a model that is int8 already; allowed: int8"):
        shipped(path, tmp_path)
    sheet, folder = shipped(path, tmp_path, replace(ONNX, options=Options(precision="int8")))
    assert sheet["model"]["quantised"] and sheet["parity"]["seeded noise"]["max_rel"] < 0.05
    nodes = [n.op_type for n in onnx.load(folder / "model.onnx").graph.node]
    assert nodes == [n.op_type for n in made.graph.node]


def test_auto_without_labels_keeps_to_a_stated_tolerance(tmp_path):
    sheet, _ = shipped(models.tokens(), tmp_path, replace(REQUEST, engine="auto", tolerance=0.02))
    selection = sheet["engine_selection"]
    assert "differ by no more than 2 % of an output" in selection["why"]
    assert selection["accuracy"].startswith("not measured: the model has 2 inputs and 2 outputs")
    assert "4 runs of seeded noise" in selection["accuracy"] and sheet["request"]["tolerance"] == 0.02
    assert all(c["accuracy_drop"] is None and c["top1"] is None for c in selection["candidates"])
    fastest = min((c for c in selection["candidates"] if not c["refused"]), key=lambda c: c["latency"]["value"])
    assert (sheet["engine"]["name"], sheet["engine"]["precision"]) == (fastest["engine"], fastest["precision"])


def test_auto_judges_int8_by_calibration_inputs_that_set_no_ranges(tmp_path):
    calibration = arrays(tmp_path / "c.npz", pixels=(3, 16, 16))
    request = replace(REQUEST, engine="auto", calibration=calibration, max_drop=100.0)
    sheet, _ = shipped(models.classifier(), tmp_path, request)
    selection = sheet["engine_selection"]
    assert (
        f"classes compared with ONNX Runtime, graph optimisation disabled on 6 inputs of {calibration}"
        in (selection["accuracy"])
    )
    int8 = [c for c in selection["candidates"] if c["precision"] == "int8"]
    assert all(c["latency"] and c["parity"]["images"] == 6 and "ONNX Runtime's static" in c["weights"] for c in int8)


def test_auto_judges_by_labelled_images_where_there_are_some(labelled, tmp_path):
    request = replace(REQUEST, engine="auto")
    sheet, _ = shipped(models.classifier(), tmp_path, request, images=labelled, preprocessing="none")
    selection = sheet["engine_selection"]
    assert selection["accuracy"] == f"measured: 24 images, images of {labelled}"
    assert all(c["top1"] == sheet["accuracy"]["top1"]["value"] for c in selection["candidates"] if not c["refused"])


def test_auto_goes_on_without_an_engine_that_lacks_an_operator(tmp_path, monkeypatch):
    real = engine_selection.build

    def build(variants, target, folder):
        if target.engine.name == "openvino":
            raise BadInput("OpenVINO refuses the model: no conversion rule found for operations: com.x.Odd")
        return real(variants, target, folder)

    monkeypatch.setattr(engine_selection, "build", build)
    sheet, _ = shipped(models.segmenter(), tmp_path, replace(REQUEST, engine="auto"))
    refused = [c["refused"] for c in sheet["engine_selection"]["candidates"] if c["engine"] == "openvino"]
    assert sheet["engine"]["name"] == "onnxruntime"
    assert refused == [] or "no conversion rule" in refused[0]


# What is refused


def test_weights_beside_the_model_are_taken_in_and_elsewhere_refused(tmp_path):
    path = tmp_path / "m" / "model.onnx"
    path.parent.mkdir()
    onnx.save_model(models.classifier(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    sheet, folder = shipped(path, tmp_path)
    assert sheet["parity"]["seeded noise"]["max_rel"] < 1e-5
    assert not any(
        t.external_data for t in onnx.load(folder / "model.onnx", load_external_data=False).graph.initializer
    )
    (path.parent / "w.bin").rename(tmp_path / "w.bin")
    moved = onnx.load(path, load_external_data=False)
    for tensor in moved.graph.initializer:
        tensor.external_data[0].value = "../w.bin"
    models.save(moved, path)
    with pytest.raises(BadInput, match="outside of the model's folder"):
        open_model_source(path, ModelOptions())


@pytest.mark.parametrize(
    ("made", "about", "message"),
    [
        (models.tokens(), {"images": Path("x")}, "--images for a model that classifies no images: the model has 2"),
        (models.segmenter(), {"preprocessing": "none"}, "--preprocessing for .* is not .N, classes."),
        (models.classifier(), {"preprocessing": "caffe"}, "--preprocessing caffe; allowed: imagenet, none, or"),
        (models.classifier(), {"images": Path("/nowhere")}, "/nowhere does not exist"),
        (models.tokens(length="L"), {}, "--shape ids="),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(made, about, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        shipped(made, tmp_path, **about)
    assert not (tmp_path / "out").exists()


def test_labels_are_as_many_as_outputs(tmp_path):
    (tmp_path / "l.txt").write_text("a\nb\n")
    with pytest.raises(BadInput, match=r"2 lines in .*l\.txt; allowed: 4, one for each output"):
        shipped(models.classifier(), tmp_path, labels=tmp_path / "l.txt")


def test_options_of_other_sources_are_refused(tmp_path):
    path = models.save(models.classifier(), tmp_path / "m.onnx")
    with pytest.raises(BadInput, match=r"--random-weights for .*a model made elsewhere, which it would not change"):
        open_source(path, SourceOptions(weights=Wanted(random=True)))


def test_outputs_that_are_not_finite_where_they_should_be_are_no_engine():
    from hwnas.export.parity import compare_runs

    good, bad = {"y": np.array([1.0, np.nan])}, {"y": np.array([np.nan, np.nan])}
    assert compare_runs([good], [good]).max_abs == 0
    with pytest.raises(MeasurementFailed, match="output y is not finite where"):
        compare_runs([bad], [good])
    with pytest.raises(HwnasError, match="shape"):
        compare_runs([{"y": np.zeros(3)}], [good])


# The command line and Python


@pytest.mark.slow
def test_the_command_takes_a_model_and_its_options(hwnas, tmp_path):
    path = models.save(models.tokens(length="L"), tmp_path / "my model (v2).onnx")
    out = tmp_path / "x"
    code, rows, err = hwnas("export", path, "--shape", "ids=1x5", "--shape", "mask=1x5", "--engine", "auto",
                            "--tolerance", "0.05", "--quick", "--out", out)  # fmt: skip
    assert code == 0, err
    assert rows[0]["id"] == "my model (v2)" and rows[0]["top1"] is None and "ONNX, opset 17" in err
    assert rows[0]["parity_max_abs"] < 1e-5 and "torch eager" not in err
    sheet = datasheet.read(out)
    assert sheet["inputs"]["ids"] == {"shape": [1, 5], "dtype": "int64"} and sheet["request"]["tolerance"] == 0.05
    assert sheet["commands"][-1] == "python run.py"
    code, rows, err = hwnas("validate", out, "--quick")
    assert code == 0 and rows[0]["top1_agreement"] is None and set(rows[0]["parity_outputs"]) == set(sheet["outputs"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch", "many"], "--batch many; allowed: a number, or dynamic"),
        (["--batch", "0"], "batch = 0; allowed: 1 or more"),
        (["--tolerance", "0.1"], "--tolerance with --engine onnx; allowed: only with --engine auto"),
        (["--id", "x"], "--id for "),
        (["--shape", "1xA"], "--shape '1xA'"),
        (["--precision", "int8"], "int8 of a model without inputs to set the ranges with"),
        (["--engine", "tensorrt", "--batch", "dynamic"], "--batch dynamic for engine tensorrt; allowed: a number"),
    ],
)  # fmt: skip
def test_a_model_with_options_that_do_not_fit_is_one_line(hwnas, tmp_path, arguments, message):
    path = models.save(models.classifier(), tmp_path / "m.onnx")
    engine = [] if "--engine" in arguments else ["--engine", "onnx"]
    code, rows, err = hwnas("export", path, *engine, *arguments, "--quick", "--out", tmp_path / "x")
    assert code == 2 and rows == [] and message in err and len(err.splitlines()) == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_from_python_a_module_of_several_inputs_and_outputs(tmp_path):
    import torch
    from torch import nn

    import hwnas

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.line = nn.Embedding(20, 4), nn.Linear(4, 3)

        def forward(self, ids, scale):
            rows = self.table(ids) * scale
            return {"scores": self.line(rows.mean(1)), "best": rows.sum((1, 2))}

    module, example = Two().eval(), (torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, 1))
    (engine,) = hwnas.export(module, tmp_path / "x", inputs=example, engine="onnx", quick=True)
    feeds = {"ids": np.arange(10).reshape(2, 5), "scale": np.full((2, 5, 1), 2, np.float32)}
    found = list(engine.run_on(feeds).values())
    with torch.inference_mode():
        expected = module(*map(torch.from_numpy, feeds.values()))
    for got, right in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(got, right.numpy(), rtol=1e-5, atol=1e-6)
    assert engine.datasheet["reference"] == "torch" and engine.validate(quick=True)["parity_max_abs"] < 1e-5
