"""A model that is loaded on a device elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.base import Feeds, NodeDetail, Session, Tensor
from profilers.devices.connection import Connection
from profilers.devices.faults import clean
from profilers.devices.wire import Arrays, BadMessage, Message
from profilers.errors import MeasurementFailed
from profilers.onnx.shapes import DTYPES
from profilers.session import checked_feeds

NODES, RUNS = 100_000, 1_000_000


class DeviceClock:
    """The seconds that runs took by the device's own clock; never is time taken over the network."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall(self) -> float:
        """Seconds."""
        return self.seconds

    def cpu(self) -> float:
        """Not known here."""
        return self.seconds

    def probe(self) -> float:
        """What is timed runs elsewhere."""
        return 0.0


Load = Callable[[], "tuple[Connection, Message]"]
Unit = Callable[[Callable[[], Message]], Message]


class RemoteSession(Session):
    """Its `run` is a request; groups of sessions are timed over there (`profilers.devices.elsewhere`).

    Args:
        load: loads the model there.
        unit: does a request again after a break (`Place.unit`), for a model that can then be loaded again; without,
            whoever loaded it begins anew.
    """

    clock: DeviceClock

    def __init__(self, load: Load, unit: Unit | None = None) -> None:
        self.load, self.unit = load, unit
        self.open()
        self.clock = DeviceClock()

    def open(self) -> None:
        """Load the model over there."""
        self.connection, loaded = self.load()
        header = loaded.header
        self.number, self.threads = whole(header.get("session")), whole(header.get("threads"))
        self.inputs, self.outputs = _ports(header.get("inputs")), _ports(header.get("outputs"))

    def alive(self) -> RemoteSession:
        """Itself, loaded again where its link has broken since and that is possible."""
        if self.connection.lost and self.unit is not None:
            self.open()
        return self

    def ask(self, what: str, arrays: Arrays | None = None) -> Message:
        """The answer to a request about this model."""

        def request() -> Message:
            return self.alive().connection.ask(what, arrays, session=self.number)

        return request() if self.unit is None else self.unit(request)

    def run(self) -> None:
        """One inference over there."""
        self.clock.seconds += number(self.ask("run").header.get("seconds"))

    def run_on(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """See `Session.run_on`."""
        found = self.ask("run", checked_feeds(self.inputs, feeds)).arrays()
        if {name: Tensor(a.shape, a.dtype.name) for name, a in found.items()} != self.outputs:
            raise MeasurementFailed(f"{self.connection.host} gives other outputs than it said")
        return {name: np.array(values) for name, values in found.items()}

    def node_times(self) -> list[dict[str, float]]:
        """See `Session.node_times`; the trace was parsed over there."""
        answer = self.ask("node_times")
        names, times = _texts(answer.header.get("names")), answer.arrays().get("times")
        if times is None or times.dtype != np.float64 or times.ndim != 2 or times.shape[1] != len(names):
            raise BadMessage("no times of nodes")
        return [{n: ms for n, ms in zip(names, row) if np.isfinite(ms) and ms >= 0} for row in times.tolist()]

    def node_details(self) -> dict[str, NodeDetail]:
        """See `Session.node_details`."""
        found = self.ask("node_details").header.get("details")
        if not isinstance(found, Mapping) or len(found) > NODES:
            raise BadMessage("no details of nodes")
        return {clean(name): _detail(said) for name, said in found.items()}

    def close(self) -> None:
        """Free it over there."""
        self.connection.tell("close", sessions=[self.number])


def _detail(said: Any) -> NodeDetail:
    if not isinstance(said, list) or len(said) != 3:
        raise BadMessage("no details of a node")
    return NodeDetail(clean(said[0]), tuple(_texts(said[1])), tuple(_texts(said[2])))


def number(value: Any) -> float:
    """A finite number of a device, 0 or more; BadMessage otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        raise BadMessage(f"no number: {str(value)[:40]}")
    return float(value)


def whole(value: Any) -> int:
    """A whole number of a device, 0 or more; BadMessage otherwise."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise BadMessage(f"no whole number: {str(value)[:40]}")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > NODES or not all(isinstance(text, str) for text in value):
        raise BadMessage("no list of names")
    return [clean(text) for text in value]


def _ports(value: Any) -> dict[str, Tensor]:
    """Names, shapes and types of inputs or outputs."""
    if not isinstance(value, Mapping):
        raise BadMessage("no inputs or outputs")
    found = {}
    for name, port in value.items():
        shape, dtype = port if isinstance(port, list) and len(port) == 2 else (None, None)
        if not isinstance(shape, list) or dtype not in DTYPES:
            raise BadMessage(f"no tensor: {str(port)[:100]}")
        found[str(name)] = Tensor(tuple(map(whole, shape)), str(dtype))
    return found
