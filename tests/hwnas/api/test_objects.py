"""What the objects of the surface do and how they show themselves, on the smallest networks and simulated devices."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import hwnas
from hwnas.api.display import Facts, facts, table
from tests.hwnas.api.ten_lines import my_function


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "fake.json"
    return hwnas.Device("fake").build_table("tiny", path, resolutions=[12, 16], budget_seconds=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory, fake):
    return hwnas.search(
        "tiny", my_function, objectives=["top1", "params", "dev_ms"], tables={"dev_ms": fake}, initial=12, iterations=1,
        resolutions=[12, 16], classes=3, out=tmp_path_factory.mktemp("runs") / "run",
    )  # fmt: skip


def test_text_and_html_show_the_same_cells_escaped():
    class Thing(Facts):
        pass

    thing = Thing("<b>title</b>", {"a": 0.123456, "b": None, "<i>": 12345}, ["a <remark>"])
    assert "0.1235" in str(thing) and "12,345" in str(thing) and str(thing).endswith("a <remark>")
    html = thing._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;title" in html and "&lt;i&gt;" in html and "12,345" in html


def test_text_without_markup():
    shown = str(Facts("t", {"a": "[bold]x[/bold]"}))
    assert "[bold]x[/bold]" in shown or "x" in shown
    assert table("t", ("a",), rows=[("1",)]).row_count == 1 and not facts("t", []).show_header


def test_a_table_object_serves_a_search_of_other_classes(run, fake):
    assert run.space.classes == 3 and fake.space.classes == 10
    assert {row["classes"] for row in run.rows()} == {3}
    chosen = run.select("dev_ms<=1e9", n=2)
    assert [n.id for n in chosen] == [row["id"] for row in chosen.rows] and "Chosen networks" in str(chosen)
    assert run.figures["evaluations"] == len(run.evaluations) == 20


def test_a_run_that_was_moved_is_the_same_run(run, tmp_path):
    moved = tmp_path / "elsewhere"
    run.folder.rename(moved)
    try:
        again = hwnas.Run(moved)
        assert again.rows() == [*again.rows()] and [n.id for n in again.front()]
        assert again.report(tmp_path / "r.html").stat().st_size > 10_000
    finally:
        moved.rename(run.folder)


def test_the_smallest_network_of_three_classes_ships(run, tmp_path):
    smallest = min(run.networks, key=lambda n: n.params)
    with pytest.raises(hwnas.BadInput, match="--random-weights"):
        smallest.export("onnx", tmp_path / "no")
    assert not (tmp_path / "no").exists()
    engine = smallest.export("onnx", tmp_path / "e", random_weights=True, quick=True)
    assert engine.top1 is None and engine.input_shape == (1, 1, smallest.to_json()["r"], smallest.to_json()["r"])
    assert engine.row()["measured_ms"] == engine.measured_ms > 0


def test_trained_weights_of_ones_own_are_what_is_shipped(tmp_path):
    network = hwnas.Networks.sample("tiny", n=1, seed=4)[0]
    module = network.torch(seed=5)
    with torch.no_grad():
        module.eval()(torch.zeros(1, 1, network.arch.r, network.arch.r))
    engine = network.export("onnx", tmp_path / "e", weights=module, quick=True)
    images = np.random.default_rng(0).standard_normal((3, *engine.input_shape[1:]), dtype=np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(engine.infer(images), expected, rtol=1e-3, atol=1e-4)
    assert not module.training and module.train() is module
    network.export("onnx", tmp_path / "again", weights=module, quick=True)
    assert module.training  # the program may go on to train it
    other = hwnas.Networks.sample("tiny", n=1, seed=9)[0]
    with pytest.raises(hwnas.BadInput, match="a trained module of torch"):
        other.export("onnx", tmp_path / "f", weights=module)
    with pytest.raises(hwnas.BadInput, match="one of them"):
        network.export("onnx", tmp_path / "f", weights=module, random_weights=True)


def test_an_engine_classifies_image_files(tmp_path):
    engine = hwnas.Networks.sample("tiny", n=1)[0].export("onnx", tmp_path / "e", random_weights=True, quick=True)
    for i in range(2):
        Image.fromarray(np.full((20, 30), 60 * i, np.uint8)).save(tmp_path / f"{i}.png")
    assert engine.infer([tmp_path / "0.png", tmp_path / "1.png"]).shape == (2, 10)
    (tmp_path / "bad.png").write_text("no image")
    with pytest.raises(hwnas.BadInput, match=r"bad\.png"):
        engine.infer(tmp_path / "bad.png")
    with pytest.raises(hwnas.BadInput, match="images of shape"):
        engine.infer(np.zeros((2, 3, 5, 5), np.float32))


def test_onnx_of_a_network_is_what_onnxruntime_runs(tmp_path):
    network = hwnas.Networks.sample("tiny", n=1)[0]
    network.onnx(tmp_path / "n.onnx", batch=2)
    session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
    r = network.arch.r
    assert session.run(None, {"input": np.zeros((2, 1, r, r), np.float32)})[0].shape == (2, 10)


def test_networks_go_through_a_file(tmp_path):
    some = hwnas.Networks.sample("tiny", n=3, classes=7)
    again = hwnas.Networks.read(some.save(tmp_path / "n.jsonl"))
    assert [n.id for n in again] == [n.id for n in some] and again[0].space.classes == 7
    assert [n.params for n in again] == [n.params for n in some]
    with pytest.raises(hwnas.BadInput, match="line 1"):
        (tmp_path / "n.jsonl").write_text(json.dumps({"ks": []}) + "\n")
        hwnas.Networks.read(tmp_path / "n.jsonl", "tiny")


def test_a_fitted_table_from_measured_networks(tmp_path):
    networks, left = hwnas.plan_networks("tiny", n=14, resolutions=[12, 16])
    assert left == sorted(left, reverse=True)
    measured = hwnas.Device("fake").measure(networks)
    fitted = hwnas.LatencyTable.fit(measured, "mine", batch=1).save(tmp_path / "t.json")
    found = fitted.predict(networks)
    assert np.abs(found.ms / measured.latencies - 1).mean() < 0.2 and fitted.status == "fitted"
    assert hwnas.LatencyTable(tmp_path / "t.json").data == fitted.data


def test_predictions_of_networks_of_several_classes_are_refused(fake):
    mixed = [*hwnas.Networks.sample("tiny", n=1), *hwnas.Networks.sample("tiny", n=1, classes=3)]
    with pytest.raises(hwnas.BadInput, match="one number of classes"):
        fake.predict(mixed)


def test_frames_need_pandas(run):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = run.to_frame()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 20
    assert set(run.front().to_frame().columns) >= {"id", "params", "top1", "dev_ms"}


def test_without_pandas_one_line_says_how(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(hwnas.EngineUnavailable, match="pip install pandas"):
        run.to_frame()


def test_measured_networks_are_kept_continued_or_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    networks, fake = list(hwnas.Networks.sample("tiny", n=3, resolutions=[12])), hwnas.Device("fake")
    first = fake.measure(networks[:2], "m.jsonl")
    assert fake.measure(networks[:2], "m.jsonl").latencies == first.latencies
    assert "m.jsonl is a measurement of this very configuration, finished: kept" in capsys.readouterr().err
    with pytest.raises(hwnas.BadInput, match=r"batch was 1, is 2; .*another --out, or --fresh"):
        hwnas.Device("fake", batch=2).measure(networks[:2], "m.jsonl")
    with pytest.raises(hwnas.BadInput, match="1 other networks"):
        fake.measure(networks[1:], "m.jsonl")
    assert len(fake.measure(networks, "m.jsonl").rows) == 3  # one was missing
    fake.measure(networks[1:], "m.jsonl", fresh=True)
    (tmp_path / "notes.jsonl").write_text('{"note": "mine"}\n')
    with pytest.raises(hwnas.BadInput, match="is something else"):
        fake.measure(networks, "notes.jsonl", fresh=True)
