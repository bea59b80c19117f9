"""CUDA through PyCUDA. It has no CUDA graphs; those few functions of the driver are called directly."""

from __future__ import annotations

import atexit
import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from profilers.errors import MeasurementFailed
from profilers.runtimes.cuda.backend import Backend, Buffer, Card, Event, Graph, Stream

LIBRARY = "libcuda.so.1"
THREAD_LOCAL = 1  # CUstreamCaptureMode: other threads may go on with theirs


class PyCuda(Backend):
    """The primary context of the first device, retained until Python ends and current from now on."""

    name = "pycuda"

    def __init__(self) -> None:
        import pycuda.driver as cuda

        cuda.init()
        device = cuda.Device(0)
        self.cuda, self.error = cuda, cuda.Error
        self.card = Card(device.name(), "sm{}{}".format(*device.compute_capability()))
        context = device.retain_primary_context()
        context.push()
        atexit.register(context.detach)

    def free_bytes(self) -> int:
        """See `Backend`."""
        return int(self.cuda.mem_get_info()[0])

    def buffer(self, shape: tuple[int, ...], dtype: str = "float32") -> Buffer:
        """See `Backend`."""
        return _Buffer(self.cuda, shape, dtype)

    def stream(self) -> Stream:
        """See `Backend`: PyCUDA's own."""
        stream: Stream = self.cuda.Stream()
        return stream

    def event(self) -> Event:
        """See `Backend`."""
        return _Event(self.cuda.Event())

    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> Graph:
        """See `Backend`."""
        return _Graph(stream, enqueue)


class _Buffer(Buffer):
    def __init__(self, cuda: Any, shape: tuple[int, ...], dtype: str) -> None:
        self.cuda = cuda
        kind = np.dtype(dtype)
        self.device = cuda.mem_alloc(math.prod(shape) * kind.itemsize)  # first: it may be too much
        self.host = cuda.pagelocked_zeros(shape, kind)

    @property
    def address(self) -> int:
        return int(self.device)

    def send(self, stream: Stream) -> None:
        self.cuda.memcpy_htod_async(self.device, self.host, stream)

    def fetch(self, stream: Stream) -> None:
        self.cuda.memcpy_dtoh_async(self.host, self.device, stream)

    def close(self) -> None:
        self.device.free()


class _Event:
    def __init__(self, event: Any) -> None:
        self.event = event

    def record(self, stream: Stream) -> None:
        self.event.record(stream)

    def synchronize(self) -> None:
        self.event.synchronize()

    def ms_until(self, later: _Event) -> float:
        return float(self.event.time_till(later.event))


class _Graph:
    def __init__(self, stream: Stream, enqueue: Callable[[], None]) -> None:
        self.driver = ctypes.CDLL(LIBRARY)
        self.stream, self.exec = ctypes.c_void_p(stream.handle), ctypes.c_void_p()
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
        code = getattr(self.driver, name)(*arguments)
        if code:
            raise MeasurementFailed(f"{name} failed with CUDA error {code}")

    def launch(self) -> None:
        self.call("cuGraphLaunch", self.exec, self.stream)

    def close(self) -> None:
        if self.exec:
            self.driver.cuGraphExecDestroy(self.exec)
            self.exec = ctypes.c_void_p()
