"""torch.cuda on a machine without a GPU: streams and events do nothing but keep the order of calls, and time."""

from __future__ import annotations

import time
from contextlib import contextmanager

from profilers.base import Status
from profilers.runtimes.torch.place import Cuda
from profilers.runtimes.torch.runtime import TorchCuda


class Event:
    def __init__(self, enable_timing=False):
        assert enable_timing
        self.at = 0.0

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        pass

    def elapsed_time(self, later):
        return 1e3 * (later.at - self.at)


class Stream:
    synchronized = 0

    def synchronize(self):
        self.synchronized += 1


class Graph:
    launches = 0

    def replay(self):
        self.launches += 1


class Api:
    """`refusal`: why nothing can be captured."""

    Stream, Event, CUDAGraph = Stream, Event, Graph

    def __init__(self, refusal=""):
        self.refusal, self.captures = refusal, 0

    @contextmanager
    def stream(self, stream):
        yield

    @contextmanager
    def graph(self, graph, stream, capture_error_mode):
        self.captures += 1
        yield
        if self.refusal:
            raise RuntimeError(self.refusal + "\nand more of it")


class PretendedCuda(Cuda):
    """The CPU in its place: a graph's launch does its work again."""

    device = "cpu"

    def capture(self, work):
        replay = super().capture(work)
        return lambda: (replay(), work())


class Pretended(TorchCuda):
    """`torch-cuda`, as far as it goes without a GPU."""

    name = "pretended"

    def __init__(self, refusal=""):
        self.api = Api(refusal)

    def _status(self):
        return Status(True, "2")

    def supported_precisions(self):
        return self.precisions

    def running(self, options):
        return PretendedCuda(tf32=options.precision == "tf32", api=self.api)
