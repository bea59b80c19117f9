"""Engines of torch through the whole of export and validate. Nothing is compiled: the contract suite does that."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import hwnas
from hwnas.export import datasheet, engine_selection
from hwnas.export.build import PrecisionVariants
from hwnas.export.engine_selection import left_out, select_engine, targets
from hwnas.export.engines import ENGINES
from hwnas.export.judge import Limits
from hwnas.export.model_source import ModelOptions, open_model_source
from hwnas.export.pipeline import check_request, export
from hwnas.export.runtime_costs import CostPlan
from hwnas.export.validate import validate
from profilers.base import Options
from profilers.errors import BadInput, FingerprintMismatch
from tests.hwnas.export.test_pipeline import edit
from tests.hwnas.exporting import QUICK, REQUEST, item
from tests.profilers.runtimes.torch.packages import uncompiled  # noqa: F401  a fixture

pytestmark = pytest.mark.usefixtures("uncompiled")

TORCH = replace(REQUEST, engine="torch")


def check(folder, **options):
    return validate(folder, plan=QUICK, costs=CostPlan.QUICK, **options)


@pytest.fixture
def folder(tmp_path):
    export({"": item(1, None)}, TORCH, tmp_path / "x")
    return tmp_path / "x"


def test_a_folder_has_the_package_its_manifest_and_all_that_others_have(folder):
    names = {"datasheet.json", "datasheet.md", "model.onnx", "model.pt2", "model.json", "reference.npz", "run.py"}
    assert {path.name for path in folder.iterdir()} == names
    sheet = datasheet.read(folder)
    assert sheet["engine"]["file"] == "model.pt2" and sheet["engine"]["optimization"] == "aot"
    assert sheet["fingerprint"]["optimization"] == "aot" and sheet["latency"]["measured"]["value"] > 0
    assert sheet["parity"]["seeded noise"]["max_rel"] < 1e-4
    assert f"Needs torch {torch.__version__}, numpy and Pillow" in (folder / "run.py").read_text()
    assert check(folder)["parity_max_rel"] < 1e-4


def test_a_package_of_another_cpu_is_not_run_even_if_forced_but_rebuilt(folder):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "device": "Another CPU"}))
    edit(folder, lambda sheet: sheet.update(files=datasheet.file_facts(folder, list(sheet["files"]))))
    with pytest.raises(FingerprintMismatch, match=r"device: .* here, Another CPU there"):
        check(folder, force=True)
    assert check(folder, anew=True)["parity_max_rel"] < 1e-4


def test_throughput_is_that_of_the_one_batch(tmp_path):
    sheet = export({"": item(1, None)}, replace(TORCH, costs=CostPlan((1, 8), 0)), tmp_path / "x")[""]
    assert {q["how"] for q in sheet["runtime_costs"]["throughput"].values()} == {
        "not measured: compiled for one batch; see its latency"
    }
    with pytest.raises(BadInput, match="--batch dynamic for engine torch; allowed: a number"):
        check_request(replace(TORCH, dynamic=True))


class Halves(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, values):
        return self.linear(values).chunk(2, 1)


def test_a_users_module_is_compiled_as_it_is(tmp_path):
    source = open_model_source(Halves(), ModelOptions(shapes={"": (2, 6)}))
    sheet = export({"": source.item("")}, replace(TORCH, options=Options(batch=2)), tmp_path / "x")[""]
    assert sheet["reference"] == "torch" and sheet["parity"]["seeded noise"]["max_rel"] < 1e-4
    made = json.loads((tmp_path / "x/model.json").read_text())
    assert [tensor["name"] for tensor in made["outputs"]] == list(sheet["outputs"]) and len(sheet["outputs"]) == 2
    assert check(tmp_path / "x")["parity_max_rel"] < 1e-4
    with pytest.raises(BadInput, match=r"that hwnas did not write.*python:module:NAME"):
        check(tmp_path / "x", anew=True)  # of the ONNX alone no module can be made


def test_auto_leaves_out_what_takes_minutes_unless_it_is_named():
    found = {t.name: t for t in targets(Options()) if t.engine.name in ("torch", "onnxruntime")}
    assert left_out(found["torch fp32"], ()) == "left out: compiling it takes minutes (--also torch)"
    assert left_out(found["torch fp32"], ["torch"]) == left_out(found["onnxruntime fp32"], ()) == ""
    assert found["torch fp32"].options.optimization == "aot"


def test_auto_takes_torch_with_the_others_where_it_is_asked_to(monkeypatch, tmp_path):
    few = {name: ENGINES[name] for name in ("onnxruntime", "torch")}
    monkeypatch.setattr(engine_selection, "ENGINES", few)
    work = PrecisionVariants(item(1, None))
    for also, tried in (((), False), (("torch",), True)):
        found = select_engine(work, Options(), tmp_path / str(tried), Limits(), (), QUICK, also=also)
        (row,) = [c for c in found.candidates if c.target.name == "torch fp32"]
        assert (row.refused == "") == tried == (row.measured is not None)


@pytest.mark.parametrize(
    ("engine", "also", "words"),
    [
        ("onnx", "torch", "--also torch with --engine onnx; allowed: only with --engine auto"),
        ("auto", "openvino", "--also openvino, which auto tries anyway; allowed: torch, torch-cuda"),
        ("auto", "tflite", "unknown engine 'tflite'"),
    ],
)
def test_also_is_for_auto_and_for_what_it_leaves_out(tmp_path, engine, also, words):
    with pytest.raises(BadInput, match=words):
        hwnas.export(tmp_path / "none.onnx", tmp_path / "x", engine=engine, also=[also])
