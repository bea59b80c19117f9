"""`torch.cuda` without a GPU, so that the code above it runs where there is none (tests only).

One device of compute capability 8.6 and 1 GiB. Device memory is a tensor on the CPU, streams do their work at once,
events are clock readings. A capturing stream records its copies, and replaying the graph repeats them in order, on the
stream that is current. Like torch, it keeps freed memory until `empty_cache`. Tests on it show that calls are made in
a valid order; they show nothing of CUDA or of a GPU.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from types import SimpleNamespace

import torch

TOTAL = 1 << 30


class Device:
    """What all streams share: memory, the current stream, and streams by their handle."""

    def __init__(self):
        self.allocated, self.cached = 0, 0
        self.streams = []
        self.current = self.stream()

    def stream(self):
        self.streams.append(Stream(self))
        return self.streams[-1]

    def by_handle(self, handle):
        return self.streams[handle - 1]

    def allocate(self, size):
        if size > TOTAL - self.allocated:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        made = torch.empty(size, dtype=torch.uint8)
        self.allocated += size
        weakref.finalize(made, self.free, size)
        return Memory(self, made)

    def free(self, size):
        self.cached += size  # only `empty_cache` gives it back

    def empty_cache(self):
        self.allocated, self.cached = self.allocated - self.cached, 0


class Memory:
    """A tensor of bytes on the device; `copy_` is work on the current stream."""

    def __init__(self, device, tensor):
        self.device, self.tensor = device, tensor

    def data_ptr(self):
        return self.tensor.data_ptr()

    def copy_(self, source, non_blocking=False):
        assert non_blocking and isinstance(source, Locked)
        self.device.current.enqueue(lambda: self.tensor.copy_(source.tensor))


class Locked:
    """A page-locked tensor of bytes on the host."""

    def __init__(self, size):
        self.tensor = torch.zeros(size, dtype=torch.uint8)

    def numpy(self):
        return self.tensor.numpy()

    def copy_(self, source, non_blocking=False):
        assert non_blocking and isinstance(source, Memory)
        source.device.current.enqueue(lambda: self.tensor.copy_(source.tensor))


class Stream:
    def __init__(self, device):
        self.cuda_stream, self.recorded = len(device.streams) + 1, None

    def enqueue(self, work):
        if self.recorded is None:
            work()
        else:
            self.recorded.append(work)

    def synchronize(self):
        if self.recorded is not None:
            self.recorded = [_spoiled]  # as CUDA does: the capture is void
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")


def _spoiled():
    raise AssertionError("a void capture was replayed")


class Event:
    def __init__(self, enable_timing=False):
        assert enable_timing
        self.at = None

    def record(self, stream):
        stream.enqueue(self._read)

    def _read(self):
        self.at = time.perf_counter()

    def synchronize(self):
        assert self.at is not None

    def elapsed_time(self, later):
        return 1e3 * (later.at - self.at)


class CUDAGraph:
    work = None


def stand_in(device=None):
    """The module `torch` as far as `profilers.runtimes.cuda.torch` uses it; `.device` is the `Device`."""
    device = device or Device()

    @contextlib.contextmanager
    def stream(chosen):
        before, device.current = device.current, chosen
        try:
            yield
        finally:
            device.current = before

    @contextlib.contextmanager
    def graph(made, stream, capture_error_mode):
        assert capture_error_mode == "thread_local"
        stream.recorded = []
        try:
            yield
        finally:
            made.work, stream.recorded = stream.recorded, None
            if made.work == [_spoiled]:
                raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    class Graph(CUDAGraph):
        def replay(self):
            for work in self.work:
                device.current.enqueue(work)

    def zeros(size, dtype, pin_memory):
        assert pin_memory and dtype == torch.uint8
        return Locked(size)

    def empty(size, dtype, device):
        assert device == "cuda" and dtype == torch.uint8
        return owner.allocate(size)

    owner = device
    cuda = SimpleNamespace(
        set_device=lambda index: None,
        init=lambda: None,
        get_device_name=lambda index: "Stand-in GPU",
        get_device_capability=lambda index: (8, 6),
        mem_get_info=lambda: (TOTAL - device.allocated, TOTAL),
        empty_cache=device.empty_cache,
        Stream=device.stream,
        Event=Event,
        CUDAGraph=Graph,
        stream=stream,
        graph=graph,
    )
    return SimpleNamespace(cuda=cuda, zeros=zeros, empty=empty, uint8=torch.uint8, device=device)
