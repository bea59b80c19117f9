"""Which engines are run on the card at hand; and what the stand-in of the driver is not."""

from __future__ import annotations

import pytest

from profilers.errors import BadInput, EngineUnavailable, FingerprintMismatch
from profilers.registry import get_profiler
from profilers.runtimes.tensorrt import build as trt_build
from profilers.runtimes.tensorrt import session as trt
from profilers.runtimes.tensorrt.manifest import BuiltEngine, RuntimeEnvironment, make_manifest
from tests.profilers import models


@pytest.mark.cuda_stub
def test_the_simulated_driver_refuses_what_it_does_not_have():
    import pycuda.driver

    with pytest.raises(pycuda.driver.Error, match="not supported"):
        pycuda.driver.module_from_buffer(b"kernel")


def built(**changes) -> BuiltEngine:
    here = RuntimeEnvironment("tensorrt-rtx", get_profiler("tensorrt-rtx").status().version)
    facts = {
        "precision": "fp32", "tf32": False, "batch": 2, "optimization": "", "flags": [], "inputs": [], "outputs": [],
        "build_seconds": 1.0,
    }  # fmt: skip
    manifest = make_manifest(b"engine", b"onnx", here, ("sm86",), **facts)
    return BuiltEngine(b"engine", {**manifest, **changes})


@pytest.fixture
def deserialised(backend, monkeypatch) -> list[bytes]:
    pytest.importorskip("tensorrt_rtx")
    found: list[bytes] = []
    monkeypatch.setattr(trt, "open_session", lambda product, data: found.append(data))
    return found


def test_an_engine_for_this_gpu_is_deserialised(deserialised):
    get_profiler("tensorrt-rtx").load_engine(built())
    assert deserialised == [b"engine"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "0.9"}, "version: "),
        ({"targets": ["sm89"]}, "capability: sm86 here, sm89 there"),
        ({"gpu": "Titan Xp"}, "gpu: Stand-in GPU here, Titan Xp there"),
        ({"runtime": "tensorrt"}, "runtime: tensorrt-rtx here, tensorrt there"),
    ],
)
def test_an_engine_of_another_machine_is_refused_unread(deserialised, changes, field):
    with pytest.raises(FingerprintMismatch, match=field):
        get_profiler("tensorrt-rtx").load_engine(built(**changes))
    assert deserialised == []


def test_a_changed_engine_is_refused_unread(deserialised):
    with pytest.raises(BadInput, match="SHA-256"):
        get_profiler("tensorrt-rtx").load_engine(BuiltEngine(b"changed", built().manifest))
    assert deserialised == []


def test_without_a_target_the_gpu_at_hand_is_built_for(backend):
    pytest.importorskip("tensorrt_rtx")
    found = trt_build.build(trt_build.TENSORRT_RTX, models.chain(), trt_build.Settings(batch=1))
    assert found.manifest["targets"] == ["sm86"] and found.manifest["gpu"] == ""


@pytest.mark.cuda_stub
def test_a_runtime_that_cannot_use_the_driver_says_so_in_one_line():
    pytest.importorskip("tensorrt_rtx")
    with pytest.raises(EngineUnavailable, match="cannot use a GPU") as caught:
        get_profiler("tensorrt-rtx").load(models.chain())
    assert "\n" not in str(caught.value)
