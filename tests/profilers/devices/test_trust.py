"""What a device sends is untrusted: whatever it is, it is one line, and never a file or a traceback."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from profilers.base import Options, TimingPlan
from profilers.devices.connection import Connection
from profilers.devices.elsewhere import Elsewhere
from profilers.devices.faults import LinkLost, clean, told
from profilers.devices.remote import RemoteProfiler, remote_profilers
from profilers.devices.session import RemoteSession
from profilers.devices.transport import LocalTransport
from profilers.devices.wire import Message, pack
from profilers.errors import BadInput, HwnasError, MeasurementFailed
from profilers.timing.conditions import Conditions
from profilers.timing.fingerprint import fingerprint

PORTS = {"session": 1, "threads": 1, "inputs": {"x": [[1], "float32"]}, "outputs": {"y": [[1], "float32"]}}
SAMPLES = {
    "ms": 1.0, "low": 0.9, "high": 1.1, "median": 1.0, "p90": 1.1, "rejected": 0, "converged": True, "clock": "wall",
    "contended_fraction": 0.0, "estimator": "median", "state": "steady", "untimed": 1, "timed": 1,
    "conditions": Conditions(before={"governor": "performance", "mhz": 900}).to_json(),
}  # fmt: skip
TIMES = {"blocks a": np.ones(3), "drift a": np.ones(3), "runs a": np.ones(6)}

ORT = {
    "engine": "onnxruntime", "available": True, "version": "1.19.2", "precisions": ["fp32"], "supported": ["fp32"],
}  # fmt: skip


class Lying:
    """A link whose other side answers everything with one thing."""

    lost, host, about = "", "board", {"executable": "python3"}

    def __init__(self, header, arrays=None):
        about, parts = pack(arrays or {})
        self.answer = Message({**header, "arrays": about}, bytearray(b"".join(parts)))

    def ask(self, what, arrays=None, **more):
        return self.answer

    tell = close = ask


def place(header, arrays=None):
    found = Elsewhere(LocalTransport())
    found._connection = Lying(header, arrays)
    return found


def session(header=PORTS, arrays=None):
    return RemoteSession(lambda: (Lying(header, arrays), Message(header, bytearray())))


def timed(header, arrays=TIMES):
    return place(header, arrays).time({"a": session()}, TimingPlan())


def test_what_is_right_is_taken():
    found = timed({"found": {"a": SAMPLES}, "background_load": 0.5})
    assert found.found["a"].ms == 1 and found.background_load == 0.5
    assert found.found["a"].conditions.before == {"governor": "performance", "mhz": 900}
    assert found.found["a"].runs.tolist() == [1.0] * 6


def test_what_a_sensor_says_moves_no_cursor():
    said = {**SAMPLES["conditions"], "reasons": ["hot\x1b[2J"], "before": {"a\nb": "c\x07"}}
    found = timed({"found": {"a": {**SAMPLES, "conditions": said}}, "background_load": 0.5}).found["a"].conditions
    assert found.reasons == ["hot [2J"] and found.before == {"a b": "c"}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"found": []},
        {"found": {"b": SAMPLES}},
        {"found": {"a": None}},
        {"found": {"a": 3}},
        {"found": {"a": {}}},
        {"found": {"a": {**SAMPLES, "ms": "1"}}},
        {"found": {"a": {**SAMPLES, "ms": -1.0}}},
        {"found": {"a": {**SAMPLES, "low": float("nan")}}},
        {"found": {"a": {**SAMPLES, "rejected": None}}},
        {"found": {"a": {**SAMPLES, "conditions": None}}},
        {"found": {"a": {**SAMPLES, "conditions": {**SAMPLES["conditions"], "before": [1]}}}},
        {"found": {"a": {**SAMPLES, "conditions": {**SAMPLES["conditions"], "throttled": "no"}}}},
        {"found": {"a": SAMPLES}},
        {"found": {"a": SAMPLES}, "background_load": 1e99},
    ],
)
def test_samples_that_are_none(header):
    with pytest.raises(MeasurementFailed, match="something that it should not"):
        timed(header)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {**TIMES, "drift a": np.ones(4)},
        {**TIMES, "blocks a": np.ones((3, 1))},
        {**TIMES, "blocks a": np.ones(3, int)},
        {**TIMES, "runs a": np.ones((2, 2))},
    ],
)
def test_blocks_that_are_none(arrays):
    with pytest.raises(MeasurementFailed, match="something that it should not"):
        timed({"found": {"a": SAMPLES}, "background_load": 0.0}, arrays)


ANYTHING = [
    {},
    {"engines": [3]},
    {"engines": 3},
    {"session": "1"},
    {"details": {"a": [1]}},
    {"names": [1]},
    {"ms": True},
]


@pytest.mark.parametrize("header", ANYTHING)
@pytest.mark.parametrize(
    "ask",
    [
        lambda p: remote_profilers(p, "onnxruntime"),
        lambda p: RemoteProfiler(p, {})._load(b"", Options(), False),
        lambda p: fingerprint(RemoteProfiler(p, {}), Options()),
        lambda p: p.plain_loop_ms("onnxruntime", b"", 1, "fp32"),
        lambda p: p.checkup(),
        lambda p: session_of(p).run(),
        lambda p: session_of(p).run_on({"x": np.ones(1, "float32")}),
        lambda p: session_of(p).node_times(),
        lambda p: session_of(p).node_details(),
        lambda p: RemoteProfiler(p, ORT)._compile(b"", Options(), (), Path()),
        lambda p: RemoteProfiler(p, ORT).footprint(Path(__file__), Options()),
        lambda p: RemoteProfiler(p, {**ORT, "version": '1"+evil'}).loader("model.ort", Options()),
    ],
)
def test_any_other_answer_is_one_line(ask, header):
    with pytest.raises(HwnasError) as error:
        ask(place(header))
    assert "\n" not in str(error.value)


def session_of(found):
    return RemoteSession(lambda: (found._connection, Message(PORTS, bytearray())))


@pytest.mark.parametrize(
    "ports",
    [
        {**PORTS, "inputs": {"x": [[1 << 70], "float32"]}},
        {**PORTS, "inputs": {"x": [[1], "object"]}},
        {**PORTS, "outputs": [1]},
        {**PORTS, "threads": -1},
    ],
)
def test_inputs_and_outputs_that_are_none(ports):
    with pytest.raises(MeasurementFailed, match="something that it should not"):
        session(ports)


def test_texts_are_for_people_only():
    """No line of their own, nothing that a terminal obeys, no class of their choice."""
    assert clean("a\x1b[31mb\nc\x07" + "x" * 9999)[:9] == "a [31mb c"
    assert len(clean("x" * 9999)) == 2000
    error = told({"kind": "SystemExit", "got": "line\n\x1b[2Jcleared", "allowed": 3})
    assert type(error) is MeasurementFailed and str(error) == "line [2Jcleared; allowed: 3"
    assert type(told({"kind": "BadInput", "got": "threads = 0"})) is BadInput
    assert type(told([])) is MeasurementFailed


@pytest.mark.parametrize("data", [b"junk" * 10, b"hwna" + b"\xff" * 12, b"hwna\0\0\0\2\0\0\0\0\0\0\0\0[]"])
def test_a_stream_of_something_else_ends_the_link(data):
    link = Connection.__new__(Connection)
    link.host, link.lost, link.waiting, link.closing = "board", "", {}, threading.Event()
    link.remote = SimpleNamespace(stdout=io.BytesIO(data), said=lambda: "", end=lambda: None)
    link._read()
    assert link.lost and isinstance(link._broken(), LinkLost)


@pytest.mark.parametrize(
    ("files", "parts"),
    [
        ({"model.ort": 4, "../../run.py": 4}, {}),
        ({"run.py": 4}, {}),
        ({"model.ort": 1 << 40}, {}),
        ({"model.ort": -1}, {}),
        ({"model.ort": 4}, {}),
        ({"model.ort": 4}, {"data": np.zeros(5, "uint8")}),
        ({"model.ort": 4}, {"data": np.zeros(0, "uint8")}),
    ],
)
def test_only_the_files_of_an_engine_are_taken_and_not_more_of_them_than_was_said(files, parts, tmp_path):
    """They are written under the names that they have here, whatever a device calls them."""
    (folder := tmp_path / "engine").mkdir()
    with pytest.raises(MeasurementFailed, match="should not"):
        RemoteProfiler(place({"files": files}, parts), ORT)._compile(b"", Options(), (), folder)
    assert list(folder.iterdir()) == []


def test_run_py_has_checked_facts_of_the_device_and_no_text_of_it(tmp_path):
    there = place({"files": {"model.ort": 4}}, {"data": np.zeros(2, "uint8")})
    there._connection.about = {"flags": "avx2 avx512f'; import os"}
    ort = RemoteProfiler(there, {**ORT, "needs": "evil", "suffixes": [".sh"]})
    assert ort._compile(b"", Options(), (), tmp_path) == ["model.ort"]
    assert (tmp_path / "model.ort").read_bytes() == bytes(4)
    loader = ort.loader("model.ort", Options())
    assert '== ("1.19.2", {"avx2"})' in loader.load and loader.needs == "onnxruntime"
    with pytest.raises(MeasurementFailed, match="no version of a runtime"):
        RemoteProfiler(there, {**ORT, "version": '1"); import os  #'}).loader("model.ort", Options())
