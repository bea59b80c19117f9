"""`hwnas lut …` on the simulated device: machine output on stdout, one clear line and exit code 2 for what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer

from hwnas.cli import lut as commands
from hwnas.space import get_space
from lut import load
from lut.table.store import FORMAT, to_json, write_document
from profilers.errors import BadInput, HwnasError


def run(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    commands.group.registered_commands.clear()
    commands.register(app)
    app.callback()(lambda: None)
    app(["lut", *map(str, arguments)], standalone_mode=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("lut") / "t.json"
    run("build", "--space", "tiny", "--engine", "fake", "--resolutions", "12,20", "--out", path, "--budget-seconds", 1)
    return path


@pytest.fixture
def archs(tmp_path):
    space = get_space("tiny", [12, 20])
    found = space.decode(space.sample(5, np.random.default_rng(0)))
    path = tmp_path / "archs.jsonl"
    path.write_text("".join(json.dumps(a.to_json()) + "\n" for a in found))
    return path


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_verify_prints_the_contracts_figures_and_stores_them(built, capsys):
    capsys.readouterr()
    run("verify", built, "--archs", 10)
    (figures,) = lines(capsys)
    wanted = {"mape", "within_5", "within_10", "kendall_tau", "bias", "noise_floor_mape", "coverage"}
    assert wanted <= set(figures) and load(built).verify == figures


def test_predict(built, archs, capsys):
    run("predict", built, "--archs", archs)
    rows = lines(capsys)
    assert len(rows) == 5 and all(set(r) == {"ms", "low", "high"} and 0 < r["low"] < r["ms"] < r["high"] for r in rows)


def test_show(built, capsys):
    run("show", built)
    text = capsys.readouterr().out
    assert "simulated device" in text and "in-context" in text and "milliseconds at 20 px" in text


def test_show_as_a_page(built, tmp_path):
    run("show", built, "--html", tmp_path / "t.html")
    assert (tmp_path / "t.html").read_text().lower().startswith("<!doctype html>")


def test_estimate_says_that_it_is_one(tmp_path, capsys):
    run("estimate", "--space", "mbv3", "--resolutions", "192,224", "--gpu", "1080ti", "--out", tmp_path / "g.json")
    assert load(tmp_path / "g.json").status == "estimated" and "not measured" in capsys.readouterr().err


def test_export_import_and_fit(built, archs, tmp_path, capsys):
    run("export", built, "--format", "ofa", "--out", tmp_path / "yaml")
    files = sorted((tmp_path / "yaml").iterdir())
    run("import", *files, "--format", "ofa", "--space", "tiny", "--resolutions", "12,20", "--out", tmp_path / "i.json")
    measured = tmp_path / "m.jsonl"
    rows = [json.loads(line) for line in archs.read_text().splitlines()]
    measured.write_text("".join(json.dumps({"arch": a, "latency_ms": 1.0 + i}) + "\n" for i, a in enumerate(rows)))
    capsys.readouterr()
    run(
        "fit",
        "--space",
        "tiny",
        "--resolutions",
        "12,20",
        "--networks",
        measured,
        "--device",
        "d",
        "--out",
        tmp_path / "f.json",
    )
    assert set(lines(capsys)[0]) == {"mape", "within_5"}
    assert [load(tmp_path / n).status for n in ("i.json", "f.json")] == ["imported", "fitted"]


@pytest.mark.slow
def test_a_table_of_each_state(tmp_path, capsys):
    """The simulated device has no cold caches here, but the state is part of the identity all the same."""
    steady, interrupted = tmp_path / "s.json", tmp_path / "i.json"
    common = ("build", "--space", "tiny", "--resolutions", "12", "--engine", "fake", "--budget-seconds", 1)
    run(*common, "--out", steady)
    run(*common, "--out", interrupted, "--state", "interrupted")
    assert [load(path).options.state for path in (steady, interrupted)] == ["steady", "interrupted"]
    assert load(interrupted).fingerprint.differences(load(steady).fingerprint) == [
        "state: interrupted here, steady there"
    ]
    with pytest.raises(BadInput, match="state 'hot'"):
        run(*common, "--out", tmp_path / "h.json", "--state", "hot")


def test_a_table_without_a_state_is_read_and_said(built, tmp_path, archs, capsys):
    """As earlier versions wrote it."""
    content = to_json(load(built))
    del content["options"]["state"], content["fingerprint"]["state"]
    old = tmp_path / "old.json"
    write_document(old, FORMAT, content)
    old.write_text(old.read_text().replace('"schema": 2', '"schema": 1'))
    run("predict", old, "--archs", archs)
    assert "measured by an earlier version" in capsys.readouterr().err
    with pytest.raises(HwnasError, match="state: steady here, none there"):
        run("verify", old, "--archs", 4)


@pytest.mark.slow
def test_plan_measure_and_fit(tmp_path, capsys):
    planned, measured, table = (tmp_path / n for n in ("n.jsonl", "m.jsonl", "t.json"))
    run("plan", "--space", "tiny", "--resolutions", "12,20", "-n", 6, "--batch", 1, "--out", planned)
    assert "after 6 networks" in capsys.readouterr().err
    run("measure", planned, "--engine", "fake", "--out", measured)
    rows = [json.loads(line) for line in measured.read_text().splitlines()]
    assert len(rows) == 6 and all(r["low"] <= r["latency_ms"] <= r["high"] and r["engine"] == "fake" for r in rows)
    common = ("--space", "tiny", "--resolutions", "12,20", "--batch", 1)
    run("fit", *common, "--networks", measured, "--device", "d", "--out", table)
    assert load(table).status == "fitted" and load(table).interval is not None
    assert {r["state"] for r in rows} == {load(table).options.state} == {"steady"}
    assert {r["estimator"] for r in rows} == {load(table).provenance["estimator"]}
    for old, other in (('"steady"', '"interrupted"'), ('"median', '"mean')):
        mixed = tmp_path / "mixed.jsonl"
        mixed.write_text(measured.read_text().replace(old, other, 1))
        with pytest.raises(BadInput, match=r"measured in the states|measured by different estimators"):
            run("fit", *common, "--networks", mixed, "--device", "d", "--out", table)
    run("plan", *common, "-n", 3, "--among", planned, "--out", tmp_path / "few.jsonl")
    assert set((tmp_path / "few.jsonl").read_text().splitlines()) < set(planned.read_text().splitlines())


def test_a_bundle(archs, tmp_path, capsys):
    run("measure", archs, "--space", "tiny", "--bundle", tmp_path / "b")
    assert (tmp_path / "b/measure.py").is_file() and "python measure.py" in capsys.readouterr().err


def test_measure_needs_a_space_and_one_destination(archs, tmp_path):
    for arguments in (("--out", tmp_path / "m"), ("--space", "tiny"), ("--out", "m", "--bundle", "b")):
        with pytest.raises(HwnasError) as error:
            run("measure", archs, *arguments)
        assert "\n" not in str(error.value)
    for content in ("[1]\n", '{"arch": {"r": true}, "space": "tiny"}\n', "", '{"space": "a"}\n{"space": "b"}\n'):
        archs.write_text(content)
        with pytest.raises(HwnasError):
            run("measure", archs, "--out", tmp_path / "m")


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "--space", "nowhere", "--engine", "fake", "--out", "t"),
        ("build", "--space", "tiny", "--engine", "nothing", "--out", "t"),
        ("build", "--space", "tiny", "--engine", "fake", "--method", "guess", "--out", "t"),
        ("build", "--space", "tiny", "--engine", "fake", "--budget-seconds", "-1", "--out", "t"),
        ("verify", "absent.json"),
        ("estimate", "--space", "tiny", "--gpu", "abacus", "--out", "t"),
    ],
)
def test_mistakes_are_one_line(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HwnasError) as error:
        run(*arguments)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())
