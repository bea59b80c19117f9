"""What is asked of CUDA: the card, memory, a stream, events, and work captured as a CUDA graph.

Everything happens in the device's primary context, in which TensorRT works too, on the first device.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

from numpy.typing import NDArray


class Card(NamedTuple):
    """The device: `name` as its driver gives it, `capability` like "sm86"."""

    name: str
    capability: str


class Stream(Protocol):
    """A queue of work on the device."""

    @property
    def handle(self) -> int:
        """The CUstream, for other libraries."""

    def synchronize(self) -> None:
        """Wait for all of its work."""


class Event(Protocol):
    """A moment in a stream's work."""

    def record(self, stream: Any) -> None:
        """It is when the stream gets here."""

    def synchronize(self) -> None:
        """Wait for it."""

    def ms_until(self, later: Any) -> float:
        """Milliseconds from here to a later one; both are over."""


class Graph(Protocol):
    """Work that a stream captured, repeated by one launch."""

    def launch(self) -> None:
        """Once more, on the stream that it was captured from; MeasurementFailed where CUDA refuses."""

    def close(self) -> None:
        """Free it; twice is harmless."""


class Buffer(ABC):
    """A tensor: page-locked memory on the host, `host`, beside memory on the device."""

    host: NDArray[Any]

    @property
    @abstractmethod
    def address(self) -> int:
        """On the device."""

    def upload(self, values: NDArray[Any], stream: Stream) -> None:
        """Host values to the device, complete after the stream's next synchronisation."""
        self.host[...] = values
        self.send(stream)

    def download(self, stream: Stream) -> NDArray[Any]:
        """A copy of the device's values."""
        self.fetch(stream)
        stream.synchronize()
        return self.host.copy()

    @abstractmethod
    def send(self, stream: Stream) -> None:
        """Enqueue the copy to the device."""

    @abstractmethod
    def fetch(self, stream: Stream) -> None:
        """Enqueue the copy to the host."""

    @abstractmethod
    def close(self) -> None:
        """Free the device's memory; the host's goes with the object."""


class Backend(ABC):
    """CUDA through one Python package, `name`; whatever the package raises is an `error`."""

    name: ClassVar[str]
    card: Card
    error: type[Exception]

    @abstractmethod
    def free_bytes(self) -> int:
        """Free memory of the device."""

    @abstractmethod
    def buffer(self, shape: tuple[int, ...], dtype: str = "float32") -> Buffer:
        """Memory for a tensor; `error` where there is too little."""

    @abstractmethod
    def stream(self) -> Stream:
        """A new one."""

    @abstractmethod
    def event(self) -> Event:
        """A new one, which can be timed."""

    @abstractmethod
    def capture(self, stream: Stream, enqueue: Callable[[], None]) -> Graph:
        """What `enqueue` puts on the stream; it has been enqueued before, so that nothing is allocated any more.

        Raises:
            MeasurementFailed: it cannot be captured; the stream is as before.
        """


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

    def __init__(self, backend: Backend) -> None:
        self.stream = backend.stream()
        self.before, self.after = backend.event(), backend.event()
        self.clock = EventClock()

    @property
    def handle(self) -> int:
        """The CUstream, for other libraries."""
        return self.stream.handle

    def run(self, enqueue: Callable[[], None]) -> None:
        """Enqueue between the events, wait, advance the clock."""
        self.before.record(self.stream)
        enqueue()
        self.after.record(self.stream)
        self.after.synchronize()
        self.clock.seconds += self.before.ms_until(self.after) / 1e3
