"""A line of an architecture says its space and its number of classes, and every command that reads it uses them."""

from __future__ import annotations

import json
import sys

import pytest

from hwnas.accuracy.table import AccuracyTable
from hwnas.onnx.writer import write_onnx
from hwnas.space import get_space
from lut import save
from profilers.base import Options
from profilers.errors import BadInput
from profilers.runtimes.fake import Fake
from tests.hwnas.cli.test_basics import call
from tests.lut.table.test_classifier import with_widths

SPACE = get_space("tiny", [12, 20], 3)
CONFIG = """
space = "tiny"
resolutions = [12, 20]
classes = 3
accuracy = "python:accuracy_of_lines:top1"
objectives = ["top1", "params", "madds", "cpu_ms"]
[tables]
cpu_ms = "t.json"
[search]
initial = 6
iterations = 1
per_iteration = 2
surrogate = "gp"
population = 12
generations = 2
"""


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """A run over networks of 3 classes, with a table that was made of 10."""
    monkeypatch.delitem(sys.modules, "accuracy_of_lines", raising=False)  # of another test's folder
    (tmp_path / "accuracy_of_lines.py").write_text("def top1(arch):\n    return 50 + arch['r']\n")
    (tmp_path / "c.toml").write_text(CONFIG)
    save(with_widths(get_space("tiny", [12, 20])), tmp_path / "t.json")
    code, _, err = call(capsys, "search", str(tmp_path / "c.toml"), "--out", str(tmp_path / "run"))
    assert code == 0 and "cpu_ms: classifier of 3 classes interpolated between 2 and 10" in err
    return tmp_path


def lines(run, capsys, name="select"):
    _, out, _ = call(capsys, name, str(run / "run"))
    (run / "lines.jsonl").write_text(out)
    return rows(out), str(run / "lines.jsonl")


@pytest.mark.parametrize("name", ["select", "archive"])
def test_count_and_predict_agree_with_the_run(run, capsys, name):
    found, file = lines(run, capsys, name)
    assert found and all((row["space"], row["classes"]) == ("tiny", 3) for row in found)
    code, out, _ = call(capsys, "count", "--archs", file)
    counted = {"params", "madds"}
    assert code == 0 and rows(out) == [{k: row["objectives"][k] for k in counted} for row in found]
    code, out, _ = call(capsys, "lut", "predict", str(run / "t.json"), "--archs", file)
    assert [row["ms"] for row in rows(out)] == pytest.approx([row["objectives"]["cpu_ms"] for row in found], rel=1e-12)
    assert all(row["classifier"] == "classifier of 3 classes interpolated between 2 and 10" for row in rows(out))


@pytest.mark.slow
def test_the_options_give_the_same_figures_as_the_lines(run, capsys):
    found, file = lines(run, capsys)
    bare = run / "bare.jsonl"
    bare.write_text("".join(json.dumps(row["arch"]) + "\n" for row in found))
    sizes = ["--space", "tiny", "--resolutions", "12,20"]
    for command, options in ((["count"], sizes), (["lut", "predict", str(run / "t.json")], [])):
        said = call(capsys, *command, "--archs", file)[1]
        assert call(capsys, *command, "--archs", str(bare), *options, "--classes", "3")[1] == said
        assert call(capsys, *command, "--archs", str(bare), *options)[1] != said  # the space's 10
        assert call(capsys, *command, "--archs", file, "--classes", "3")[1] == said


def test_select_says_how_the_table_serves_other_classes(run, capsys):
    _, out, err = call(capsys, "select", str(run / "run"))
    how = "measured-table, classifier of 3 classes interpolated between 2 and 10"
    assert all(row["obtained"]["cpu_ms"] == how for row in rows(out)) and "interpolated" in " ".join(err.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--classes", "10"], "--classes 10 for {}; allowed: classes 3, as its lines say; try: without --classes"),
        (["--space", "mbv3"], "--space mbv3 for {}; allowed: space tiny, as its lines say; try: without --space"),
    ],
)
def test_options_that_contradict_the_lines_are_refused(run, capsys, options, said):
    _, file = lines(run, capsys)
    commands = [["count", "--archs", file], ["lut", "measure", file, "--engine", "fake", "--out", str(run / "m")]]
    commands.append(["lut", "fit", "--networks", file, "--device", "x", "--out", str(run / "f")])
    if options[0] == "--classes":
        commands.append(["lut", "predict", str(run / "t.json"), "--archs", file])
    for command in commands:
        code, out, err = call(capsys, *command, *options)
        assert (code, out, err.count("\n")) == (2, "", 1) and said.format(file) in err
    assert not (run / "m").exists() and not (run / "f").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"classes": 4}, "classes 3 and 4"), ({"space": "mbv3"}, "space mbv3 and tiny"),
        ({"classes": "3"}, "line 2: classes is '3'"), ({"space": 3}, "line 2: space is 3"),
        ({"classes": 1}, "classes 1 and 3"),
    ],
)  # fmt: skip
def test_lines_that_contradict_each_other(run, capsys, more, said):
    found, file = lines(run, capsys)
    (run / "lines.jsonl").write_text(json.dumps(found[0]) + "\n" + json.dumps(found[0] | more) + "\n")
    code, out, err = call(capsys, "count", "--archs", file)
    assert (code, out, err.count("\n")) == (2, "", 1) and said in err


def test_a_table_of_another_space_is_refused(run, capsys):
    found, file = lines(run, capsys)
    (run / "lines.jsonl").write_text(json.dumps(found[0] | {"space": "mbv3"}) + "\n")
    code, out, err = call(capsys, "lut", "predict", str(run / "t.json"), "--archs", file)
    assert (code, out, err.count("\n")) == (2, "", 1) and "networks of space mbv3; allowed: tiny" in err


def test_a_table_of_accuracies_of_other_networks_is_refused(run, capsys):
    (run / "known.csv").write_text(call(capsys, "archive", str(run / "run"), "--format", "csv")[1])
    assert AccuracyTable(run / "known.csv", SPACE)
    for other, said in ((get_space("mbv3", classes=3), "space tiny"), (get_space("tiny"), "classes 3")):
        with pytest.raises(BadInput, match=f"line 2: a network of {said}"):
            AccuracyTable(run / "known.csv", other)


def test_bare_lines_still_need_a_space(run, capsys):
    found, _ = lines(run, capsys)
    (run / "bare.jsonl").write_text(json.dumps(found[0]["arch"], indent=1))  # one object on several lines
    code, _, err = call(capsys, "count", "--archs", str(run / "bare.jsonl"))
    assert code == 2 and "of which space; allowed: --space NAME" in err
    assert call(capsys, "count", "--archs", str(run / "bare.jsonl"), "--space", "tiny")[0] == 0


@pytest.mark.slow
def test_what_lut_plan_and_measure_write_names_the_classes(run, capsys):
    plan, measured = run / "plan.jsonl", run / "m.jsonl"
    options = ["--space", "tiny", "--resolutions", "12,20", "--classes", "3", "-n", "6", "--out", str(plan)]
    assert call(capsys, "lut", "plan", *options)[0] == 0
    assert call(capsys, "lut", "measure", str(plan), "--engine", "fake", "--out", str(measured))[0] == 0
    found = rows(measured.read_text())
    assert len(found) == 6 and all((row["space"], row["classes"]) == ("tiny", 3) for row in found)
    model = write_onnx(SPACE.layers(SPACE.parse(found[0]["arch"])))
    session = Fake().load(model, Options())
    assert found[0]["latency_ms"] == pytest.approx(session.ideal_ms, rel=0.03)
    assert (
        call(capsys, "lut", "fit", "--networks", str(measured), "--device", "x", "--out", str(run / "f.json"))[0] == 0
    )
    assert json.loads((run / "f.json").read_text())["content"]["space"]["classes"] == 3


@pytest.mark.slow
def test_a_line_is_exported_as_the_network_that_it_is(run, capsys):
    found, _ = lines(run, capsys)
    line, more = run / "line.json", ["--random-weights", "--engine", "onnx", "--quick"]
    line.write_text(json.dumps(found[0]))
    code, _, _ = call(capsys, "export", str(line), *more, "--out", str(run / "engine"))
    sheet = json.loads((run / "engine/datasheet.json").read_text())
    assert code == 0 and (sheet["space"]["name"], sheet["space"]["classes"]) == ("tiny", 3)
    assert sheet["objectives"]["params"]["value"] == found[0]["objectives"]["params"]
    for option in (["--classes", "10"], ["--space", "mbv3"]):
        code, out, err = call(capsys, "export", str(line), *more, *option, "--out", str(run / "other"))
        assert (code, out, err.count("\n")) == (2, "", 1) and f"{' '.join(option)} for {line}" in err
    line.write_text("".join(json.dumps(row) + "\n" for row in found[:2]))
    code, out, err = call(capsys, "export", str(line), *more, "--out", str(run / "other"))
    assert code == 2 and "holds 2 architectures; allowed: one" in err and not (run / "other").exists()
