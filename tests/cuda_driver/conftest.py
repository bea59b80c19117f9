"""What is marked cuda_stub runs in a process of its own, started by run.sh, where the stand-in is the CUDA driver."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from profilers.base import Status
from profilers.runtimes.cuda import choice
from profilers.runtimes.cuda.backend import Backend
from profilers.runtimes.cuda.torch import TorchCuda
from profilers.runtimes.tensorrt import build as trt_build
from tests.cuda_driver.engine import DriverWork, TorchWork
from tests.cuda_driver.torch_cuda import stand_in


def pytest_collection_modifyitems(items):
    if "HWNAS_CUDA_STUB_ACTIVE" in os.environ:
        return
    skip = pytest.mark.skip(reason="runs on the stand-in driver only: tests/cuda_driver/run.sh")
    for item in items:
        if item.get_closest_marker("cuda_stub"):
            item.add_marker(skip)


@pytest.fixture(params=[pytest.param("pycuda", marks=pytest.mark.cuda_stub), "torch"])
def backend(request, monkeypatch) -> Iterator[Backend]:
    """PyCUDA on the stand-in of the driver, then torch with the stand-in of torch.cuda; nothing may leak."""
    if request.param == "torch":
        made = TorchCuda(stand_in())
        for module in (choice, trt_build):
            monkeypatch.setattr(module, "gpu", lambda: made)
            monkeypatch.setattr(module, "gpu_status", lambda: Status(True, "13.0"))
    found = choice.gpu()
    assert found.name == request.param
    before = found.free_bytes()
    yield found
    assert found.free_bytes() == before, "device memory was not freed"


@pytest.fixture
def work(backend):
    """What a `CopyEngine` copies with."""
    return DriverWork() if backend.name == "pycuda" else TorchWork(backend.torch.device)
