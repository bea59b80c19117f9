"""What is read of a datasheet: a whole one of this schema or the one before, or one line that says what to do."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwnas
from hwnas.export import datasheet
from profilers.errors import BadInput, HwnasError
from profilers.files import sha256
from tests.hwnas.report_run import evaluations, sheet

CANDIDATE = {
    "engine": "openvino", "precision": "fp32", "latency": None, "top1": 97.1, "lost": 0.2, "parity": None, "bytes": 9,
    "drop": {"points": 0.2, "low": 0.1, "high": 0.3, "lost": 3, "won": 2, "images": 900}, "refused": "", "weights": "",
}  # fmt: skip
GOOD = json.loads(json.dumps(sheet(evaluations(1, 1)[0])))
DATA = b"a model"
ODD = [
    None,
    True,
    -1,
    0,
    1e300,
    10**40,
    "",
    "x" * 400,
    "a\0b",
    "\ud800",
    "../../x",
    "1.0",
    [],
    {},
    [1],
    {"a": 1},
    [[[[]]]],
]


def write(folder, content: dict[str, Any], text: str | None = None) -> None:
    """With a checksum that fits, as somebody would who means it."""
    (folder / "model.onnx").write_bytes(DATA)
    whole = {"kind": "hwnas-datasheet", "schema": datasheet.SCHEMA, **content}
    checksum = sha256(json.dumps(whole, sort_keys=True).encode())
    (folder / datasheet.FILE).write_text(text or json.dumps({**whole, "checksum": checksum}))


def refused(folder) -> str:
    with pytest.raises(HwnasError) as caught:
        datasheet.read(folder)
    line = str(caught.value)
    assert line.isprintable() and len(line) < 900
    return line


def test_what_is_written_is_read(tmp_path):
    (tmp_path / "model.onnx").write_bytes(DATA)
    content = GOOD | {"files": datasheet.file_facts(tmp_path, ["model.onnx"])}
    datasheet.write(tmp_path, content)
    found = datasheet.read(tmp_path)
    assert {k: found[k] for k in content} == content and found["warnings"] == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"latency": {}}, "latency lacks predicted, measured, within_interval, timing, interrupted"),
        ({"accuracy": {}}, "accuracy lacks dataset"),
        ({"accuracy": {"dataset": None, "split": None, "top1": {"value": "97", "unit": "%", "how": "measured"}}},
         "accuracy.top1.value = '97'; allowed: a number"),
        ({"name": 3}, "name = 3; allowed: a text"),
        ({"objectives": {"top1": {"value": 3, "unit": "", "how": "guessed"}}},
         "top1.how = 'guessed'; allowed: a word of"),
        ({"objectives": {"top1": 3}}, "objectives.top1 = 3; allowed: an object"),
        ({"engine": GOOD["engine"] | {"threads": "one"}}, "engine.threads = 'one'; allowed: a whole number, 1 to"),
        ({"files": {"model.onnx": {"bytes": 7, "sha256": "0" * 64}}}, "is not the file of its datasheet"),
        ({"files": {"../x": {"bytes": 7, "sha256": "0" * 64}}}, "a name without folders"),
        ({"files": {"x\0": {"bytes": 7, "sha256": "0" * 64}}}, "Unicode without NUL"),
        ({"files": {"model.onnx": {"bytes": 7}}}, "files.'model.onnx' lacks sha256"),
        ({"fingerprint": {}}, "fingerprint lacks device"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"schema": 3}, "is not a datasheet of schema 4, 5, 6; try: export it again"),
        ({"kind": "else"}, "is not a datasheet"),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_named(change, words, tmp_path):
    write(tmp_path, GOOD | change)
    assert words in refused(tmp_path)


NEW = ("model", "inputs", "outputs", "reference")


def test_one_of_schema_5_gets_what_it_did_not_say(tmp_path):
    write(tmp_path, {k: v for k, v in GOOD.items() if k not in NEW} | {"schema": 5})
    found = datasheet.read(tmp_path)
    assert {k: found[k] for k in NEW} == {k: GOOD[k] for k in NEW} and found["model"] is None
    assert found["schema"] == datasheet.SCHEMA and "Of the search space tiny" in datasheet.markdown(found)
    assert found["request"] == GOOD["request"] | {"dynamic_batch": False, "tolerance": None}


def test_one_of_schema_4_is_read_under_todays_names(tmp_path):
    old = {k: v for k, v in GOOD.items() if k not in ("runtime_costs", "engine_selection", *NEW)}
    contest = {"why": "the fastest", "accuracy": "", "candidates": [CANDIDATE], "references": {}}
    timing = {
        "state": "steady", "disturbance": "", "estimator": "median", "rounds": 9, "rejected": 1, "converged": True,
        "median_ms": 1.0, "p90_ms": 2.0, "clock": "wall", "contended": 0.25,
    }  # fmt: skip
    latency = {"latency": old["latency"] | {"timing": timing}}
    write(tmp_path, old | latency | {"schema": 4, "running": {}, "contest": contest, "weights": "random; int8"})
    found = datasheet.read(tmp_path)
    assert found["latency"]["timing"]["contended_fraction"] == 0.25
    assert (
        found["schema"] == datasheet.SCHEMA and found["runtime_costs"] == {} and found["warnings"] == [datasheet.RANDOM]
    )
    candidate = found["engine_selection"]["candidates"][0]
    assert candidate["accuracy_drop"] == 0.2 and candidate["accuracy_drop_interval"] == CANDIDATE["drop"]


@pytest.mark.parametrize("contest", [3, [], {"candidates": 3}, {"candidates": [3, None]}, {"candidates": {"a": 1}}])
def test_a_forged_one_of_the_schema_before_is_one_line(contest, tmp_path):
    old = {k: v for k, v in GOOD.items() if k not in ("runtime_costs", "engine_selection", *NEW)}
    write(tmp_path, old | {"schema": 4, "running": {}, "contest": contest})
    assert "try: export it again" in refused(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10**5, '{"kind": "hwnas-datasheet", "schema": 5, "x": 1e999}'])
def test_other_files_are_one_line(text, tmp_path):
    write(tmp_path, GOOD, text or " ")
    refused(tmp_path)


def leaves(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for k, v in items for p in [(*place, k), *leaves(v, (*place, k))]]


PLACES = leaves(GOOD)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(place=st.sampled_from(PLACES), odd=st.sampled_from(ODD))
def test_forged_values_are_refused_or_harmless(place, odd, tmp_path):
    content = copy.deepcopy(GOOD)
    target = content
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = odd
    write(tmp_path, content)
    try:
        found = datasheet.read(tmp_path)
    except BadInput as error:
        assert str(error).isprintable() and "\n" not in str(error)
    else:
        assert datasheet.markdown(found)


MARKS = "\x1b[31m\x07\r\u202e"


def at(content, place):
    for key in place:
        content = content[key]
    return content


def marked(content, place):
    """The same with marks in the text there."""
    found = copy.deepcopy(content)
    at(found, place[:-1])[place[-1]] += MARKS
    return found


def test_no_text_of_it_commands_a_terminal_or_a_page(tmp_path):
    content = GOOD
    for place in PLACES:
        if isinstance(at(GOOD, place), str):
            write(tmp_path, changed := marked(content, place))
            with suppress(BadInput):  # what is a name of ours
                datasheet.read(tmp_path)
                content = changed
    assert content["name"].endswith(MARKS) and content["accuracy"]["top1"]["how"].endswith(MARKS)
    write(tmp_path, content | {"warnings": [f"a warning {MARKS}"], "commands": [f"hwnas {MARKS}"]})
    engine = hwnas.Engine(tmp_path)
    shown = [str(engine), repr(engine), engine._repr_html_(), datasheet.markdown(engine.datasheet)]
    for text in shown:
        assert r"\x1b[31m\x07\r\u202e" in text and not any(mark in text for mark in ("\x1b", "\x07", "\r", "\u202e"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"outputs": {}}, "without inputs or outputs"),
        ({"objectives": {"params": GOOD["objectives"]["params"]}}, "objectives without madds"),
        ({"files": {"../x": {"bytes": 1, "sha256": "0" * 64}}}, "a name without folders"),
        ({"files": {"a\x1b[31m": {"bytes": 1, "sha256": "0" * 64}}}, "a name without folders"),
    ],
)
def test_what_is_read_together_stands_together(tmp_path, change, line):
    write(tmp_path, {**GOOD, **change})
    assert line in refused(tmp_path)
