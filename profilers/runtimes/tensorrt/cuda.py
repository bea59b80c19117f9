"""One NVIDIA GPU through PyCUDA: identity, memory, a stream, events, CUDA graphs.

TensorRT works in the device's primary context, so it is used here too: retained once per process, for the first
device, and left current. PyCUDA has no CUDA graphs; those few driver functions are called directly.
PyCUDA stays until cuda-python, NVIDIA's own binding, can be tried on a GPU: neither has run on one yet.
"""

from __future__ import annotations

import atexit
import ctypes
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.base import Status
from profilers.errors import EngineUnavailable, MeasurementFailed

LIBRARY = "libcuda.so.1"
THREAD_LOCAL = 1  # CUstreamCaptureMode: other threads may go on with theirs
DRIVER = "install NVIDIA's driver on a machine with an NVIDIA GPU"


def gpu_status() -> Status:
    """Whether there is a driver, a device and PyCUDA; `version` is the CUDA version that the driver knows."""
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
    try:
        import pycuda.driver  # noqa: F401
    except (ImportError, OSError) as error:
        remedy = "pip install pycuda, with the CUDA toolkit's nvcc on the path"
        return Status(False, reason=f"PyCUDA cannot be imported: {error}", remedy=remedy)
    driver.cuDriverGetVersion(ctypes.byref(version))
    return Status(True, f"{version.value // 1000}.{version.value % 1000 // 10}")


class Gpu:
    """The first device: `name` as the driver gives it, `capability` like "sm86"."""

    def __init__(self) -> None:
        import pycuda.driver as cuda

        cuda.init()
        device = cuda.Device(0)
        self.name: str = device.name()
        self.capability = "sm{}{}".format(*device.compute_capability())
        self.context = device.retain_primary_context()
        self.context.push()
        atexit.register(self.context.detach)

    def free_bytes(self) -> int:
        """Free memory of the device."""
        import pycuda.driver as cuda

        return int(cuda.mem_get_info()[0])


@cache
def gpu() -> Gpu:
    """The process's GPU; its context is current from now on.

    Raises:
        EngineUnavailable: no driver, no device or no PyCUDA.
    """
    status = gpu_status()
    if not status.available:
        raise EngineUnavailable(status.reason, remedy=status.remedy)
    return Gpu()


def errors() -> type[Exception]:
    """What PyCUDA raises."""
    import pycuda.driver as cuda

    error: type[Exception] = cuda.Error
    return error


class Buffer:
    """A tensor: page-locked memory on the host beside memory on the device."""

    def __init__(self, shape: tuple[int, ...], dtype: str = "float32") -> None:
        import pycuda.driver as cuda

        self.cuda = cuda
        self.host: NDArray[Any] = cuda.pagelocked_zeros(shape, np.dtype(dtype))
        self.device = cuda.mem_alloc(self.host.nbytes)

    @property
    def address(self) -> int:
        """On the device."""
        return int(self.device)

    def upload(self, values: NDArray[Any], stream: Any) -> None:
        """Host values to the device, complete after the stream's next synchronisation."""
        self.host[...] = values
        self.cuda.memcpy_htod_async(self.device, self.host, stream)

    def download(self, stream: Any) -> NDArray[Any]:
        """A copy of the device's values."""
        self.cuda.memcpy_dtoh_async(self.host, self.device, stream)
        stream.synchronize()
        return self.host.copy()

    def close(self) -> None:
        """Free the device's memory; the host's goes with the object."""
        self.device.free()


class EventClock:
    """Seconds of GPU work between events: what the timing loop reads around a run.

    Launching a run and waiting for its end, some ten microseconds on the CPU, are not included.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall(self) -> float:
        """Seconds between the events of all runs so far."""
        return self.seconds

    def cpu(self) -> float:
        """CPU seconds of this process, which are unrelated to the GPU's."""
        return time.process_time()

    def probe(self) -> float:
        """0: contention for the CPU is none for the GPU."""
        return 0.0


class TimedStream:
    """One stream whose work is timed by two events on it."""

    def __init__(self) -> None:
        import pycuda.driver as cuda

        self.stream = cuda.Stream()
        self.before, self.after = cuda.Event(), cuda.Event()
        self.clock = EventClock()

    @property
    def handle(self) -> int:
        """The CUstream, for other libraries."""
        return int(self.stream.handle)

    def run(self, enqueue: Callable[[], None]) -> None:
        """Enqueue between the events, wait, advance the clock."""
        self.before.record(self.stream)
        enqueue()
        self.after.record(self.stream)
        self.after.synchronize()
        self.clock.seconds += self.before.time_till(self.after) / 1e3


class Graph:
    """Work that a stream captured, repeated by one launch."""

    def __init__(self, timed: TimedStream, enqueue: Callable[[], None]) -> None:
        """Capture what `enqueue` puts on the stream.

        Raises:
            MeasurementFailed: it cannot be captured; the stream is as before.
        """
        self.driver, self.timed_stream = ctypes.CDLL(LIBRARY), timed
        self.stream = ctypes.c_void_p(timed.handle)
        self.exec = ctypes.c_void_p()
        graph = ctypes.c_void_p()
        self.call("cuStreamBeginCapture_v2", self.stream, THREAD_LOCAL)
        try:
            enqueue()
        finally:  # also where it failed, or the stream would capture for ever
            ended = self.driver.cuStreamEndCapture(self.stream, ctypes.byref(graph))
        if ended or not graph:
            raise MeasurementFailed(f"the work cannot be captured as a CUDA graph (error {ended})")
        try:
            self.call("cuGraphInstantiateWithFlags", ctypes.byref(self.exec), graph, ctypes.c_ulonglong(0))
        finally:
            self.driver.cuGraphDestroy(graph)

    def call(self, name: str, *arguments: Any) -> None:
        """A driver function; MeasurementFailed with its error code."""
        code = getattr(self.driver, name)(*arguments)
        if code:
            raise MeasurementFailed(f"{name} failed with CUDA error {code}")

    def launch(self) -> None:
        """Once more, on the stream that it was captured from."""
        code = self.driver.cuGraphLaunch(self.exec, self.stream)
        if code:
            raise MeasurementFailed(f"cuGraphLaunch failed with CUDA error {code}")

    def close(self) -> None:
        """Free it."""
        if self.exec:
            self.driver.cuGraphExecDestroy(self.exec)
            self.exec = ctypes.c_void_p()
