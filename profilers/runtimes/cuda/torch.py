"""CUDA through torch, which every installation has and which needs no compiler.

Tensors here are bytes, so that every type that a network has can be held. torch keeps freed memory for its own next
tensors; it is given back at once, since TensorRT allocates past it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from profilers.errors import MeasurementFailed
from profilers.runtimes.cuda.backend import Backend, Buffer, Card, Event, Graph, Stream


class TorchCuda(Backend):
    """The first device; torch works in its primary context. `torch` is the module, or what stands in for it."""

    name = "torch"
    error = RuntimeError  # the base of all that torch raises of CUDA

    def __init__(self, torch: Any = None) -> None:
        if torch is None:
            import torch
        self.torch = torch
        torch.cuda.set_device(0)
        torch.cuda.init()
        self.card = Card(torch.cuda.get_device_name(0), "sm{}{}".format(*torch.cuda.get_device_capability(0)))

    def free_bytes(self) -> int:
        """See `Backend`."""
        return int(self.torch.cuda.mem_get_info()[0])

    def buffer(self, shape: tuple[int, ...], dtype: str = "float32") -> Buffer:
        """See `Backend`."""
        return _Buffer(self.torch, shape, np.dtype(dtype))

    def stream(self) -> Stream:
        """See `Backend`."""
        return _Stream(self.torch.cuda.Stream())

    def event(self) -> Event:
        """See `Backend`."""
        return _Event(self.torch.cuda.Event(enable_timing=True))

    def capture(self, stream: Any, enqueue: Callable[[], None]) -> Graph:
        """See `Backend`."""
        graph = self.torch.cuda.CUDAGraph()
        try:
            with self.torch.cuda.graph(graph, stream=stream.stream, capture_error_mode="thread_local"):
                enqueue()
        except RuntimeError as error:  # of the work, or of the end of a capture that it spoiled
            said = (str(error).splitlines() or ["no reason given"])[0]
            raise MeasurementFailed(f"the work cannot be captured as a CUDA graph: {said}") from error
        return _Graph(self.torch, graph, stream.stream)


class _Buffer(Buffer):
    def __init__(self, torch: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.torch = torch
        size = math.prod(shape) * dtype.itemsize
        self.device = torch.empty(size, dtype=torch.uint8, device="cuda")  # first: it may be too much
        self.locked = torch.zeros(size, dtype=torch.uint8, pin_memory=True)
        self.host = self.locked.numpy().view(dtype).reshape(shape)

    @property
    def address(self) -> int:
        return int(self.device.data_ptr())

    def send(self, stream: Any) -> None:
        with self.torch.cuda.stream(stream.stream):
            self.device.copy_(self.locked, non_blocking=True)

    def fetch(self, stream: Any) -> None:
        with self.torch.cuda.stream(stream.stream):
            self.locked.copy_(self.device, non_blocking=True)

    def close(self) -> None:
        self.device = None
        self.torch.cuda.empty_cache()


class _Stream:
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    @property
    def handle(self) -> int:
        return int(self.stream.cuda_stream)

    def synchronize(self) -> None:
        self.stream.synchronize()


class _Event:
    def __init__(self, event: Any) -> None:
        self.event = event

    def record(self, stream: _Stream) -> None:
        self.event.record(stream.stream)

    def synchronize(self) -> None:
        self.event.synchronize()

    def ms_until(self, later: _Event) -> float:
        return float(self.event.elapsed_time(later.event))


class _Graph:
    def __init__(self, torch: Any, graph: Any, stream: Any) -> None:
        self.torch, self.graph, self.stream = torch, graph, stream

    def launch(self) -> None:
        try:
            with self.torch.cuda.stream(self.stream):  # a replay goes to the current stream
                self.graph.replay()
        except RuntimeError as error:
            raise MeasurementFailed(f"the CUDA graph cannot be launched: {error}") from error

    def close(self) -> None:
        self.graph = None
