"""A model that is loaded on a device elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from profilers.base import Feeds, NodeDetail, Session, Tensor
from profilers.devices.connection import Connection
from profilers.devices.faults import clean
from profilers.devices.wire import BadMessage, Message
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


class RemoteSession(Session):
    """Its `run` is a request; groups of sessions are timed over there (`profilers.devices.elsewhere`)."""

    clock: DeviceClock

    def __init__(self, connection: Connection, loaded: Message) -> None:
        self.connection, header = connection, loaded.header
        self.number, self.threads = _whole(header.get("session")), _whole(header.get("threads"))
        self.inputs, self.outputs = _ports(header.get("inputs")), _ports(header.get("outputs"))
        self.clock = DeviceClock()

    def run(self) -> None:
        """One inference over there."""
        self.clock.seconds += number(self.connection.ask("run", session=self.number).header.get("seconds"))

    def run_on(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """See `Session.run_on`."""
        found = self.connection.ask("run", checked_feeds(self.inputs, feeds), session=self.number).arrays()
        if {name: Tensor(a.shape, a.dtype.name) for name, a in found.items()} != self.outputs:
            raise MeasurementFailed(f"{self.connection.host} gives other outputs than it said")
        return {name: np.array(values) for name, values in found.items()}

    def node_times(self) -> list[dict[str, float]]:
        """See `Session.node_times`; the trace was parsed over there."""
        answer = self.connection.ask("node_times", session=self.number)
        names, times = _texts(answer.header.get("names")), answer.arrays().get("times")
        if times is None or times.dtype != np.float64 or times.ndim != 2 or times.shape[1] != len(names):
            raise BadMessage("no times of nodes")
        return [{n: ms for n, ms in zip(names, row) if np.isfinite(ms) and ms >= 0} for row in times.tolist()]

    def node_details(self) -> dict[str, NodeDetail]:
        """See `Session.node_details`."""
        found = self.connection.ask("node_details", session=self.number).header.get("details")
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


def _whole(value: Any) -> int:
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
        found[str(name)] = Tensor(tuple(map(_whole, shape)), str(dtype))
    return found
