"""TensorRT's part of run.py, carried out with a stand-in of TensorRT and of each package for CUDA."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from profilers.runtimes.tensorrt.loader_text import LOAD

SHAPE = (2, 3)


class Engine:
    """Doubles its input, in the memory at the addresses."""

    num_io_tensors = 2

    def __init__(self):
        self.addresses = {}

    def get_tensor_name(self, index):
        return ("x", "y")[index]

    def get_tensor_dtype(self, name):
        return "FLOAT"

    def get_tensor_shape(self, name):
        return SHAPE

    def create_execution_context(self):
        return self

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, handle):
        assert handle == 7
        x, y = ((ctypes.c_float * 6).from_address(self.addresses[name]) for name in ("x", "y"))
        y[:] = [2 * value for value in x]


TRT = SimpleNamespace(
    Logger=object, nptype=lambda kind: np.float32, Runtime=lambda log: SimpleNamespace(deserialize_cuda_engine=opened)
)


def opened(data: bytes) -> Engine:
    assert data == b"engine"
    return Engine()


def memory(size: int):
    """What PyCUDA's mem_alloc gives: an address as a number."""
    kept.append(ctypes.create_string_buffer(size))
    return ctypes.addressof(kept[-1])


kept: list = []
PYCUDA = SimpleNamespace(
    Stream=lambda: SimpleNamespace(handle=7),
    Context=SimpleNamespace(synchronize=lambda: None),
    mem_alloc=memory,
    memcpy_htod=lambda to, values: ctypes.memmove(to, values.ctypes.data, values.nbytes),
    memcpy_dtoh=lambda values, source: ctypes.memmove(values.ctypes.data, source, values.nbytes),
)


def install(monkeypatch, package: str) -> None:
    module = SimpleNamespace(driver=PYCUDA, autoinit=None) if package == "pycuda" else None
    for name in ("pycuda", "pycuda.autoinit", "pycuda.driver"):
        monkeypatch.setitem(sys.modules, name, module and (PYCUDA if name.endswith("driver") else module))
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: SimpleNamespace(cuda_stream=7))
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self: self.clone())


@pytest.mark.parametrize("package", ["pycuda", "torch"])
def test_an_engine_runs_by_either_package(package, monkeypatch, tmp_path):
    install(monkeypatch, package)
    (tmp_path / "model.engine").write_bytes(b"engine")
    names = {"np": np, "trt": TRT, "here": tmp_path}
    exec(LOAD.format(file="model.engine"), names)
    assert ("torch" in names) == (package == "torch")
    x = np.arange(6, dtype=np.float32).reshape(SHAPE)
    assert np.array_equal(names["run"]({"x": x})["y"], 2 * x)
