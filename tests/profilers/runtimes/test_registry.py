from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from profilers import plugins, registry
from profilers.base import Options
from profilers.errors import BadInput
from profilers.footprint import fresh_footprint
from profilers.registry import (
    BUILTIN,
    PROFILERS,
    describe,
    every_profiler,
    get_profiler,
    place,
    register,
    stored_profiler,
)
from profilers.runtimes.fake import Fake
from tests.profilers import models

EXAMPLE = Path(__file__).parents[2] / "plugin_package" / "hwnas_example" / "runtime"


def test_unknown_engine_names_the_known_ones():
    with pytest.raises(BadInput, match="onnxruntime, onnxruntime-cuda, openvino, fake"):
        get_profiler("tensorflow")


def test_profilers_are_registered_under_their_own_names():
    assert all(get_profiler(name).name == name for name in PROFILERS)


def test_the_simulated_device_says_that_it_is_one():
    assert get_profiler("fake").status().reason == "simulated, not a device"


def test_importing_the_registry_loads_no_runtime():
    code = "import sys, profilers.registry; print(*{'onnxruntime', 'openvino', 'onnx', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("field", ["threads", "batch"])
def test_options_refuse_less_than_one(field):
    with pytest.raises(BadInput, match=field):
        Options(**{field: 0})


@pytest.fixture
def own(monkeypatch):
    """What a test names is forgotten after it, and what others have named is not known in it."""
    monkeypatch.setattr(PROFILERS, "_found", {n: c for n, c in PROFILERS._found.items() if n in PROFILERS.built_in})
    monkeypatch.setattr(registry, "_places", {})


def test_a_runtime_of_ones_own_is_known_by_its_name_from_then_on(own):
    with pytest.raises(BadInput, match="unknown engine 'plain'"):
        get_profiler("plain")
    assert get_profiler(f"python:{EXAMPLE}:Plain").name == "plain"
    assert get_profiler("plain").status().available and "plain" in PROFILERS
    assert place("plain") == f"python:{EXAMPLE}:Plain" and place("openvino") == "openvino"


@pytest.mark.slow
def test_a_fresh_process_makes_it_again(own, tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(models.chain())
    monkeypatch.chdir(EXAMPLE.parent)
    get_profiler("python:runtime:Plain")
    monkeypatch.chdir(tmp_path)
    assert fresh_footprint("plain", tmp_path / "m.onnx", Options(), seconds=60).first_run_ms > 0


def test_a_file_cannot_name_a_module(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(BadInput, match=r"unknown engine 'python:evil:X'; allowed: onnxruntime, .*; try: .*--engine"):
        stored_profiler("python:evil:X")
    assert stored_profiler("fake").name == "fake"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class X: name = 'x'", "is no runtime: <class"),
        ("class X(Profiler): pass", "name None; allowed: letters"),
        ("class X(Profiler): name = 'a b'", "name 'a b'; allowed: letters"),
        ("class X(Profiler): name = 'auto'", "name 'auto'; allowed: .* none of all, auto, onnx"),
        ("class X(Profiler): name = 'fake'", "a second engine 'fake'"),
        ("class X(Profiler): name = 'x'", "cannot be made: TypeError"),
        ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_is_no_runtime_is_refused_in_one_line(own, tmp_path, monkeypatch, text, words):
    monkeypatch.delitem(sys.modules, "of_a_user", raising=False)
    (tmp_path / "of_a_user.py").write_text(f"from profilers.base import Profiler\n{text}\n")
    with pytest.raises(BadInput, match=words) as caught:
        get_profiler("python:of_a_user:X", tmp_path)
    assert "\n" not in str(caught.value)
    monkeypatch.delitem(sys.modules, "of_a_user", raising=False)


def test_a_package_that_cannot_be_imported_is_listed_with_its_reason(own, monkeypatch):
    points = {"broken": "no_such_module:X", "other": "profilers.runtimes.fake:Fake"}
    found = [EntryPoint(name, value, "hwnas.runtimes") for name, value in points.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found if group == "hwnas.runtimes" else [])
    assert {"broken", "other", "openvino"} <= set(PROFILERS)
    broken = describe("broken")
    assert broken["available"] is False and "cannot be imported: ModuleNotFoundError" in broken["reason"]
    assert "'other' whose class has the name 'fake'" in describe("other")["reason"]
    assert describe("fake") == {
        "engine": "fake", "device": "simulated", "available": True, "version": "1",
        "reason": "simulated, not a device", "remedy": "", "precisions": ["fp32", "int8"],
    }  # fmt: skip
    with pytest.raises(BadInput, match="cannot be imported"):
        get_profiler("broken")
    assert [profiler.name for profiler in every_profiler()] == list(BUILTIN)
    from hwnas.export.engines import ENGINES, NAMES, stored_engine

    assert (
        list(ENGINES)
        == list(NAMES)
        == ["onnx", "onnxruntime", "openvino", "tensorrt", "tensorrt-rtx", "torch", "torch-cuda"]
    )
    with pytest.raises(BadInput, match="cannot be imported"):
        stored_engine("broken")


def test_a_class_can_be_made_known_by_this_process(own):
    class Mine(Fake):
        name = "mine"

    assert register(Mine) == register(Mine) == "mine" and get_profiler("mine").status().available
    assert place("mine").startswith("python:/") and place("mine").endswith("test_registry:" + Mine.__qualname__)
    with pytest.raises(BadInput, match="a second engine 'mine'"):
        register(type("Other", (Fake,), {"name": "mine"}))
    with pytest.raises(BadInput, match="is no runtime"):
        register(int)


def test_a_runtime_without_a_loader_is_no_format(own):
    from hwnas.export.engines import get_engine

    for name in ("fake", "onnxruntime-cuda"):
        with pytest.raises(BadInput, match=f"engine '{name}', which has no loader for run.py; .*try: --engine onnx$"):
            get_engine(name)
    with pytest.raises(BadInput, match=r"unknown engine 'onnxruntim'; .*; try: onnxruntime"):
        get_engine("onnxruntim")
    assert get_engine(f"python:{EXAMPLE}:Plain").suffixes == (".onnx",)
