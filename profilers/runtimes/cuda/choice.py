"""Which package gives CUDA here: PyCUDA where it is installed, else torch.

PyCUDA is first since it frees memory at once and starts in a moment; but it is compiled by CUDA's nvcc when it is
installed, which many have not who have torch. cuda-python, NVIDIA's own binding, can be a third.
"""

from __future__ import annotations

import ctypes
from functools import cache

from profilers.base import Status
from profilers.errors import EngineUnavailable
from profilers.runtimes.cuda.backend import Backend
from profilers.runtimes.cuda.pycuda import LIBRARY, PyCuda
from profilers.runtimes.cuda.torch import TorchCuda

DRIVER = "install NVIDIA's driver on a machine with an NVIDIA GPU"
BINDING = "pip install torch for CUDA (pytorch.org names the command), or pycuda where there is CUDA's nvcc"


def gpu_status() -> Status:
    """Whether there is a driver, a device and a package for it; `version` is the CUDA version that the driver knows."""
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError as error:
        missing = "No such file" in str(error)
        why = f"{LIBRARY} is missing" if missing else f"{LIBRARY} cannot be loaded: {error}"
        return Status(False, reason=f"no NVIDIA driver on this machine: {why}", remedy=DRIVER)
    count, version = ctypes.c_int(), ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        reason = f"no CUDA device: the driver answers {code}" if code else "no CUDA device"
        return Status(False, reason=reason, remedy="nvidia-smi should list a GPU")
    if (pycuda := _without_pycuda()) and (torch := _without_torch()):
        return Status(False, reason=f"no package for CUDA: {pycuda}; {torch}", remedy=BINDING)
    driver.cuDriverGetVersion(ctypes.byref(version))
    return Status(True, f"{version.value // 1000}.{version.value % 1000 // 10}")


@cache
def gpu() -> Backend:
    """The process's GPU; its context is current from now on.

    Raises:
        EngineUnavailable: no driver, no device, or neither PyCUDA nor a torch for CUDA.
    """
    status = gpu_status()
    if not status.available:
        raise EngineUnavailable(status.reason, remedy=status.remedy)
    return TorchCuda() if _without_pycuda() else PyCuda()


def _without_pycuda() -> str:
    """Why PyCUDA does not serve, or ""."""
    try:
        import pycuda.driver  # noqa: F401
    except (ImportError, OSError) as error:
        return f"PyCUDA cannot be imported ({error})"
    return ""


def _without_torch() -> str:
    """Why torch does not serve, or ""."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"torch cannot be imported ({error})"
    return "" if torch.cuda.is_available() else f"torch {torch.__version__} cannot use the GPU"
