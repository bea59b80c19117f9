"""`hwnas export`, `validate` and `compare` as a user meets them, on a run of the tiny space with random weights."""

from __future__ import annotations

import json

import pytest

import lut
from lut.estimate.roofline import estimate
from tests.hwnas.searching import SPACE, run_search

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_search(folder, iterations=0, initial=6).archive.close()  # all on the front
    run_search(folder.parent / "nsga2", iterations=0, strategy="nsga2").archive.close()
    lut.save(estimate(SPACE, "GTX 1080 Ti", 64), folder.parent / "gpu.json")
    return folder


def test_auto_then_validate(hwnas, run, tmp_path):
    out = tmp_path / "engines"
    key = next(iter(sorted_ids(hwnas, run)))
    code, rows, err = hwnas("export", run, "--id", key, "--random-weights", "--engine", "auto", "--quick", "--out", out)
    assert code == 0 and len(rows) == 1
    selection = rows[0]["engine_selection"]
    assert rows[0]["engine"] in ("onnxruntime", "openvino") and rows[0]["precision"] == "fp32"
    assert selection["references"]["eager"]["value"] > 0 and "compiled" not in selection["references"]
    assert "chosen: " in err and "--calibration" in err and "torch eager" in err
    code, rows, err = hwnas("validate", out / key, "--quick")
    assert code == 0 and rows[0]["top1_agreement"] == 1 and "latency" in rows[0]["changes"]
    assert "The datasheet, and what was measured now" in err
    commands = json.loads((out / key / "datasheet.json").read_text())["commands"]
    assert commands[-2:] == ["hwnas validate .", "python run.py IMAGE"] and len(commands) == 3


def sorted_ids(hwnas, run):
    code, rows, _ = hwnas("select", run, "-n", 2)
    assert code == 0
    return [row["id"] for row in rows]


def test_the_whole_front_with_a_failure_and_again(hwnas, run, tmp_path, monkeypatch):
    from hwnas.export.run_source import RunSource

    real, out = RunSource.item, tmp_path / "engines"
    with RunSource(run, front=True) as source:
        ids = source.ids
    assert len(ids) >= 3

    def item(self, key):
        if key == ids[1]:
            raise RuntimeError("broken weights")
        return real(self, key)

    monkeypatch.setattr(RunSource, "item", item)
    code, rows, err = hwnas("export", run, "--all", "--random-weights", "--engine", "onnx", "--quick", "--out", out)
    assert code == 1 and [row["id"] for row in rows] == [ids[0], *ids[2:]]
    assert f"{len(ids) - 1} exported, 0 were there already, 1 failed" in err and "broken weights" in err
    assert json.loads((out / "errors.jsonl").read_text())["id"] == ids[1]
    monkeypatch.setattr(RunSource, "item", real)
    code, rows, err = hwnas("export", run, "--all", "--random-weights", "--engine", "onnx", "--quick", "--out", out)
    assert code == 0 and [row["id"] for row in rows] == [ids[1]] and not (out / "errors.jsonl").exists()


def test_compare_writes_text_csv_json_and_figure(hwnas, run, tmp_path):
    code, rows, err = hwnas("compare", run, "--models", "mobilenet_v3_small,mnasnet0_5", "--size", 32)
    assert code == 0 and len(rows) == 1
    assert {p.suffix for p in (run / "known").iterdir()} == {".txt", ".csv", ".json", ".svg"}
    assert json.loads((run / "known/compare.json").read_text()) == rows[0]
    sources = [row["source"] for row in rows[0]["networks"]]
    assert sources.count("torchvision") == 2 and sources.count("this search") >= 2
    assert "mobilenet_v3_small" in err and "too few to compare ranks" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["export", "RUN", "--random-weights", "--engine", "auto", "--max-accuracy-drop", "-1", "--out", "x"],
            "accuracy drop = -1",
        ),
        (["export", "RUN", "--random-weights", "--precision", "int8", "--out", "x"], "--calibration"),
        (["export", "RUN", "--id", "nobody", "--out", "x"], "nobody is not an evaluated network"),
        (["export", "RUN", "--all", "--engine", "tflite", "--out", "x"], "unknown engine"),
        (["validate", "nowhere"], "no datasheet.json"),
        (["report", "RUN", "--compare", "OTHER", "--out", "x.html"], "a search by nsga2, which is not drawn"),
        (["fetch", "--list", "--from", "."], "--from . with --list"),
        (["fetch", "--list", "no-such-file"], "no-such-file"),
        (["lut", "show", "TABLE", "--json", "--resolution", "16"], "--resolution with --json"),
        (["lut", "show", "TABLE", "--json", "--html", "x.html"], "--html with --json"),
        (["compare", "RUN", "--models", "alexnett"], "try: alexnet"),
        (["compare", "RUN", "--size", "-4"], "--size -4"),
        (["compare", "RUN", "--models", "mobilenet_v3_small", "--precision", "int8"], "not int8"),
    ],
)
def test_errors_are_one_line(hwnas, run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    places = {"RUN": run, "OTHER": run.parent / "nsga2", "TABLE": run.parent / "gpu.json"}
    code, rows, err = hwnas(*(places.get(a, a) for a in arguments))
    assert code == 2 and rows == [] and message in err
    assert len([line for line in err.splitlines() if line.startswith("hwnas:")]) == 1
    assert not list(tmp_path.iterdir())


def test_a_run_that_counts_nothing_goes_all_the_way(hwnas, tmp_path):
    lut.save(estimate(SPACE, "GTX 1080 Ti", 64), tmp_path / "gpu.json")
    folder, tables = tmp_path / "run", {"gpu_ms": tmp_path / "gpu.json"}
    run_search(folder, iterations=0, objectives=("top1", "gpu_ms"), tables=tables).archive.close()
    code, chosen, _ = hwnas("select", folder, "-n", 1)
    assert code == 0 and set(chosen[0]["objectives"]) == {"top1", "gpu_ms"}
    code, rows, err = hwnas("export", folder, "--random-weights", "--engine", "onnx", "--quick", "--out",
                            folder / "engines")  # fmt: skip
    assert code == 0 and len(rows) >= 1
    sheet = json.loads((folder / "engines" / rows[0]["id"] / "datasheet.json").read_text())
    layers = SPACE.layers(SPACE.parse(sheet["architecture"]))
    assert sheet["objectives"]["params"]["value"] == sum(spec.params for spec in layers)
    assert sheet["objectives"]["madds"]["value"] == sum(spec.madds for spec in layers)
    assert f"{sum(spec.params for spec in layers) / 1e3:.1f} k" in err
    assert hwnas("report", folder)[0] == 0 and hwnas("insights", folder)[0] == 0
    assert hwnas("compare", folder, "--models", "mnasnet0_5", "--size", 32)[0] == 0
