"""Where a module runs: how its runs are timed, and what torch's global settings are during them.

On a CPU a run is what the machine's clock says. On a GPU it is the time between two events on one stream, before the
first and behind the last kernel: without the launch if that is a CUDA graph's, else with what the CPU was too slow to
launch in time. Warm-up is the timing loop's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from profilers.errors import MeasurementFailed
from profilers.runtimes.cuda.backend import EventClock
from profilers.timing.card_state import card_sensor
from profilers.timing.clock import Clock, SystemClock
from profilers.timing.sensors import Sensor

Work = Callable[[], Any]
WARM_UPS = 3  # runs before a capture, in which cuDNN chooses its kernels and memory is allocated


class AddedClock(SystemClock):
    """Seconds of what was timed, added up: what lies between runs does not count."""

    def __init__(self) -> None:
        self.seconds, self.cpu_seconds = 0.0, 0.0

    def wall(self) -> float:
        """Seconds of all runs so far."""
        return self.seconds

    def cpu(self) -> float:
        """CPU seconds of this process in these runs."""
        return self.cpu_seconds

    def run(self, work: Work) -> Any:
        """Do it, and count its time."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        return result


class Cpu:
    """The CPU of this machine."""

    device = "cpu"
    cuda = False

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.sensor: Sensor | None = None  # the CPU's own
        self.clock: Clock = SystemClock()

    def run(self, work: Work) -> Any:
        """One run, on so many threads; its time is what the caller's clock says."""
        import torch

        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return work()

    def quietly(self, work: Work) -> Any:
        """One run that is not timed, complete when it returns."""
        return self.run(work)


class Cuda:
    """The first NVIDIA GPU: one stream, two events on it.

    `tf32` lets float32 products be computed with 10 bits; `api` is torch.cuda, or a stand-in.
    """

    device = "cuda"
    cuda = True
    threads = 0

    def __init__(self, *, tf32: bool = False, api: Any = None) -> None:
        import torch

        self.tf32, self.api, self.clock = tf32, api or torch.cuda, EventClock()
        self.sensor: Sensor | None = card_sensor()
        self.stream = self.api.Stream()
        self.before, self.after = (self.api.Event(enable_timing=True) for _ in range(2))

    def run(self, work: Work) -> Any:
        """One run between the events, complete when it returns; the clock advances by what the GPU took."""
        with numerics(tf32=self.tf32), self.api.stream(self.stream):
            self.before.record()
            result = work()
            self.after.record()
        self.after.synchronize()
        self.clock.seconds += self.before.elapsed_time(self.after) / 1e3
        return result

    def quietly(self, work: Work) -> Any:
        """One run that is not timed, complete when it returns."""
        with numerics(tf32=self.tf32), self.api.stream(self.stream):
            result = work()
        self.stream.synchronize()
        return result

    def capture(self, work: Work) -> Work:
        """The work as a CUDA graph; it leaves its results where the capture had them.

        Raises:
            MeasurementFailed: it cannot be captured; the reason.
        """
        for _ in range(WARM_UPS):
            self.quietly(work)
        graph = self.api.CUDAGraph()
        try:
            with numerics(tf32=self.tf32), self.api.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                work()
        except Exception as error:  # what it raises depends on what is in the way
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise MeasurementFailed(f"the network cannot be captured as a CUDA graph: {said}") from error
        replay: Work = graph.replay
        return replay


@contextmanager
def numerics(*, tf32: bool) -> Iterator[None]:
    """Torch's global settings for a GPU: TF32 on or off, cuDNN's kernels chosen by trying them, as for fixed shapes."""
    import torch

    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, tf32
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=tf32):
            yield
    finally:
        matmul.allow_tf32 = before
