"""A runtime that is installed and broken says why, in its loader's own words."""

from __future__ import annotations

import sys

import pytest

import hwnas
from profilers.base import Options
from profilers.errors import EngineUnavailable
from profilers.registry import get_profiler

LACKS = "libfoo.so.3: cannot open shared object file: No such file or directory"


@pytest.fixture(params=["onnxruntime", "openvino"])
def broken(request, tmp_path, monkeypatch):
    """A package of the runtime's name, whose shared library cannot be loaded."""
    (tmp_path / f"{request.param}.py").write_text(f"raise ImportError({LACKS!r})")
    for name in [n for n in sys.modules if n.partition(".")[0] == request.param]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    return request.param


def test_it_is_said_in_the_list_and_in_refusals(broken):
    reason = f"{broken} is installed, but broken: {LACKS}"
    (row,) = hwnas.engines(broken)
    assert not row["available"] and row["reason"] == reason
    assert row["remedy"] == f"pip install --force-reinstall {broken}, or install what it lacks"
    with pytest.raises(EngineUnavailable, match="installed, but broken: libfoo"):
        get_profiler(broken).require(Options())


def test_one_that_is_not_there_is_not_called_broken(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert "not installed" in get_profiler("openvino").status().reason
