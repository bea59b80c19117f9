"""Which package gives CUDA, and what is said where none does; the driver is a stand-in."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from profilers.base import Status
from profilers.errors import EngineUnavailable
from profilers.runtimes.cuda import choice


class Driver:
    def __init__(self, devices: int = 1, code: int = 0):
        self.devices, self.code = devices, code

    def cuInit(self, flags):  # noqa: N802
        return self.code

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = self.devices
        return 0

    def cuDriverGetVersion(self, version):  # noqa: N802
        version._obj.value = 13010
        return 0


@pytest.fixture
def machine(monkeypatch):
    """Sets the driver, and whether PyCUDA and a torch for CUDA are installed."""

    def make(driver: Driver, pycuda: bool, torch: bool) -> None:
        monkeypatch.setattr(choice.ctypes, "CDLL", lambda name: driver)
        binding = SimpleNamespace(driver=SimpleNamespace()) if pycuda else None  # None: the import fails
        monkeypatch.setitem(sys.modules, "pycuda", binding)
        monkeypatch.setitem(sys.modules, "pycuda.driver", binding and binding.driver)
        cuda = SimpleNamespace(is_available=lambda: torch)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, __version__="2.9.0+cpu"))
        monkeypatch.setattr(choice, "PyCuda", lambda: "PyCUDA")
        monkeypatch.setattr(choice, "TorchCuda", lambda: "torch")
        choice.gpu.cache_clear()

    yield make
    choice.gpu.cache_clear()


@pytest.mark.parametrize(
    ("pycuda", "torch", "chosen"), [(True, True, "PyCUDA"), (True, False, "PyCUDA"), (False, True, "torch")]
)
def test_pycuda_is_taken_where_it_is_installed_and_else_torch(machine, pycuda, torch, chosen):
    machine(Driver(), pycuda, torch)
    assert choice.gpu_status() == Status(True, "13.1") and choice.gpu() == chosen


def test_with_neither_it_says_what_each_lacks_and_what_to_install(machine):
    machine(Driver(), pycuda=False, torch=False)
    with pytest.raises(EngineUnavailable) as caught:
        choice.gpu()
    said = str(caught.value)
    assert "PyCUDA cannot be imported" in said and "torch 2.9.0+cpu cannot use the GPU" in said
    assert "pip install torch for CUDA" in said and "\n" not in said


@pytest.mark.parametrize(
    ("driver", "reason"), [(Driver(devices=0), "no CUDA device"), (Driver(code=999), "the driver answers 999")]
)
def test_a_driver_without_a_device_is_one_line(machine, driver, reason):
    machine(driver, pycuda=True, torch=True)
    status = choice.gpu_status()
    assert not status.available and reason in status.reason and "nvidia-smi" in status.remedy
