"""hwnas spaces: what there is, and what it costs here."""

from __future__ import annotations

import pytest

import hwnas
from hwnas.api import space_list
from profilers.base import Status
from profilers.errors import BadInput


def test_every_space_has_a_row_and_nothing_is_measured_unasked():
    found = hwnas.spaces(measure=False)
    assert {row["space"] for row in found.rows} >= {"mbv3", "small", "tiny"}
    assert all(row["ms"] is None and row["step_seconds"] is None for row in found.rows)
    assert found.notes == ["params, ms: smallest and largest network; ms not measured"]


@pytest.mark.slow
def test_the_smallest_and_the_largest_are_measured_and_training_is_estimated():
    found = hwnas.spaces(["tiny"], training=True)
    (row,) = found.rows
    assert 0 < row["ms"][0] < row["ms"][1] and row["step_seconds"] > 0
    assert "measured shortly" in str(found) and "training step: estimated" in str(found)


def test_without_a_runtime_the_reason_is_said(monkeypatch):
    profiler = type("Absent", (), {"status": lambda _: Status(False, reason="onnxruntime is not installed")})
    monkeypatch.setattr(space_list, "get_profiler", lambda _: profiler())
    found = hwnas.spaces(["tiny"])
    assert found.rows[0]["ms"] is None and found.notes[0].endswith("ms not measured: onnxruntime is not installed")


def test_an_unknown_space_is_one_line():
    with pytest.raises(BadInput, match="unknown space 'smal'"):
        hwnas.spaces(["smal"])
