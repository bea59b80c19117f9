from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lut import load, save
from lut.estimate.correction import Calibration, Interval
from lut.table import store
from profilers.errors import FileProblem, HwnasError, TableError
from tests.lut.conftest import make_table

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=250)
ODD = [None, True, -1, 0, 1e300, -1e300, 10**40, "", "x" * 400, "1.0", [], {}, [1], {"a": 1}, [[[[]]]], 1.5]


@pytest.fixture
def full(space):
    return make_table(
        space, calibration=Calibration((0.01, 0.0, 0.1, 0.0), 30, 0.02, 0.01), interval=Interval(0.95, 1.05, 0.95, 40),
        verify={"mape": 0.01, "networks": 60}, provenance={"seed": 0}, observations={"layers": {"a": [1.0, 2.0]}},
    )  # fmt: skip


@pytest.fixture
def path(full, tmp_path):
    path = tmp_path / "t.json"
    save(full, path)
    return path


def test_round_trip_loses_nothing(full, path):
    assert load(path) == full


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileProblem, match="cannot read"):
        load(tmp_path / "absent.json")


def test_saving_is_atomic(full, path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(FileProblem, match="No space left"):
        save(full, path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["t.json"]


def mutate(data: bytes, kind: str, where: float, value: int) -> bytes:
    at = int(where * (len(data) - 1))
    if kind == "truncate":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ (1 << value % 8)]) + data[at + 1 :]
    if kind == "insert":
        return data[:at] + bytes([value]) + data[at:]
    if kind == "drop":
        return data[:at] + data[at + 1 + value :]
    return data[:at] + data[at : at + value] + data[at:]


@QUIET
@given(
    kind=st.sampled_from(["truncate", "flip", "insert", "drop", "repeat"]),
    where=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
)
def test_damaged_bytes_never_predict_wrongly(full, path, kind, where, value):
    damaged = path.parent / "damaged.json"
    damaged.write_bytes(mutate(path.read_bytes(), kind, where, value))
    try:
        loaded = load(damaged)
    except TableError as error:
        assert "\n" not in str(error) and 10 < len(str(error)) < 600
    else:
        assert loaded == full  # white space was touched


def leaves(value, prefix=()):
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in [(*prefix, k), *leaves(v, (*prefix, k))]]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in [(*prefix, i), *leaves(v, (*prefix, i))]]
    return []


@pytest.mark.slow
@QUIET
@given(data=st.data(), odd=st.sampled_from(ODD))
def test_forged_values_are_refused_or_harmless(full, tmp_path, space, data, odd):
    """With a valid checksum, as a careless writer would: a wrong type never gets through to a prediction."""
    content = copy.deepcopy(store.to_json(full))
    *parents, last = data.draw(st.sampled_from(leaves(content)))
    target = content
    for key in parents:
        target = target[key]
    target[last] = odd
    path = tmp_path / "forged.json"
    document = {"format": store.FORMAT, "schema": store.SCHEMA, "checksum": store.checksum(content), "content": content}
    path.write_text(json.dumps(document))
    try:
        estimate = load(path).bind(space).predict(space.sample(20, np.random.default_rng(0)))
    except TableError as error:
        assert "\n" not in str(error)
    else:
        assert all(np.isfinite(x).all() for x in estimate) and (estimate.ms > 0).all()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-1", "0", '"5"', "true", "null", "9" * 5000, "1e9"])
def test_impossible_milliseconds(path, full, number):
    key = next(iter(full.entries))
    text = path.read_text()
    start = text.index("[", text.index(json.dumps(key)))
    path.write_text(text[: start + 1] + number + text[text.index(",", start) :])
    with pytest.raises(TableError):
        load(path)


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", "null", "[" * 100_000, '{"format": 1}', "\x00", '{"a":1,"a":2}'])
def test_other_files(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(TableError):
        load(path)


def test_binary_and_newer_files(path, tmp_path):
    binary = tmp_path / "b.json"
    binary.write_bytes(b"\xff\xfe\x00" * 50)
    with pytest.raises(TableError, match="UTF-8"):
        load(binary)
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 3'))
    with pytest.raises(TableError, match="schema"):
        load(path)


def test_nan_is_never_written(space, tmp_path):
    with pytest.raises(HwnasError):
        save(make_table(space, provenance={"x": math.nan}), tmp_path / "t.json")
    assert not list(tmp_path.iterdir())
