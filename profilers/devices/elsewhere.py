"""A device elsewhere as the place where models are loaded and timed: each call is a request to the agent there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np

from profilers.base import Session
from profilers.devices.connection import Connection, who
from profilers.devices.faults import DeviceBusy, DeviceUnreachable, LinkLost, clean
from profilers.devices.results import result
from profilers.devices.session import RemoteSession, number
from profilers.devices.transport import Transport
from profilers.devices.wire import Arrays, BadMessage, Message
from profilers.errors import MeasurementFailed
from profilers.progress import Progress, say
from profilers.timing.core_groups import MAX_GROUPS, load_in_parallel
from profilers.timing.place import Cores, Cpu, Place, Timed
from profilers.timing.samples import TimingPlan
from profilers.timing.settling import RUNS, Settling

DELAYS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)  # seconds before each attempt to connect again
ALONE = ("engines", "checkup", "core_groups", "facts")  # requests that depend on no other
ATTEMPTS = 5  # at one unit of work: what breaks the link each time is the work itself
T = TypeVar("T")


class Elsewhere(Place):
    """One device; the link is opened when it is needed, and again where it broke."""

    def __init__(self, transport: Transport, python: str = "") -> None:
        self.transport, self.python, self.host = transport, python, transport.host
        self.threads = 0  # that are pinned there now
        self.cores: Cores = ()
        self._connection: Connection | None = None
        self.abandoned = threading.Event()
        self.runtimes: list[dict[str, Any]] = []  # as the agent describes them, once it was asked
        self._in_unit = False

    @property
    def connection(self) -> Connection:
        """The link; DeviceUnreachable where there is none to be had, LinkLost once the device is abandoned."""
        found = self._connection
        if found is None and not self.abandoned.is_set():
            found = self._connection = Connection(self.transport, self.python)
        if found is None or self.abandoned.is_set():
            self.close()
            raise LinkLost(f"{self.host} was given up")
        return found

    def ask(self, what: str, arrays: Arrays | None = None, **more: Any) -> Message:
        """The answer to one request; see `Connection.ask`. What depends on no other request is asked again."""
        if what in ALONE:
            return self.unit(lambda: self.connection.ask(what, arrays, **more))
        return self.connection.ask(what, arrays, **more)

    def cpu(self) -> Cpu:
        """The device's, as its agent says."""
        return Cpu(self.connection.about.get("machine", ""), tuple(self.connection.about.get("flags", "").split()))

    def core_groups(self, threads: int) -> tuple[Cores, ...]:
        """See `Place`; here only their number is used, the cores are the device's."""
        found = self.ask("core_groups", threads=threads).header.get("groups")
        return tuple(() for _ in range(min(len(found), MAX_GROUPS))) if isinstance(found, list) and found else ((),)

    @contextmanager
    def pinned(self, threads: int) -> Iterator[Cores]:
        """Hold the device's lock, and pin there.

        Raises:
            BadInput: more threads than cores. DeviceBusy: somebody else measures there.
        """
        if self.threads:  # within another measurement, whose models stay loaded
            yield self.cores
            return
        self.cores = self.unit(lambda: self._open(threads))
        self.threads = threads
        try:
            yield self.cores
        finally:
            self.threads = 0
            if self._connection is not None:
                with suppress(LinkLost):
                    self._connection.ask("done")

    def load(self, loads: Mapping[str, Callable[[], Session]], groups: Sequence[Cores]) -> dict[str, Session]:
        """See `Place`; models are made here while others are loaded there."""
        return load_in_parallel(loads, groups)

    def learn(self, sessions: Mapping[str, Session], plan: TimingPlan) -> Settling:
        """See `Place`."""
        answer = self.with_sessions("learn", sessions, plan=plan.to_json())
        excess, found = answer.arrays().get("settling"), Settling()
        if excess is not None and excess.size:
            if excess.shape[1:] != (RUNS,) or not np.isfinite(excess).all():
                raise BadMessage("no excess times")
            found.excess = list(excess.astype(float))
        return found

    def time(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        *,
        settling: Settling | None = None,
        most_runs: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> Timed:
        """See `Place`."""
        known = {"settling": np.array(settling.excess, float)} if settling and settling.excess else {}
        answer = self.with_sessions(
            "time", sessions, known, plan=plan.to_json(), most_runs=dict(most_runs or {}),
            progress=progress.advance if progress is not None else None,
        )  # fmt: skip
        try:
            return _timed(answer, list(sessions))
        except (KeyError, TypeError) as error:
            raise BadMessage(f"samples without {clean(error)}") from error

    def with_sessions(
        self, what: str, sessions: Mapping[str, Session], arrays: Arrays | None = None, **more: Any
    ) -> Message:
        """The answer to a request about sessions; asked again after a break where all of them can be loaded again."""

        def request() -> Message:
            return self.ask(what, arrays, sessions=_numbers(sessions), **more)

        can = all(isinstance(session, RemoteSession) and session.unit is not None for session in sessions.values())
        return self.unit(request) if can and sessions else request()

    def plain_loop_ms(self, engine: str, model: bytes, threads: int, precision: str) -> float:
        """See `Place`."""
        answer = self.ask("plain_loop", model=model, engine=engine, threads=threads, precision=precision)
        return number(answer.header.get("ms"))

    def facts(self, engine: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The device's fingerprint."""
        found = self.ask("facts", engine=engine, options=dict(options)).header.get("fingerprint")
        if not isinstance(found, dict):
            raise BadMessage("no fingerprint")
        return {key: clean(value) if isinstance(value, str) else value for key, value in found.items()}

    def checkup(self) -> dict[str, Any]:
        """What the device is like; see `profilers.devices.checkup`."""
        found = self.ask("checkup").header.get("checkup")
        if not isinstance(found, dict):
            raise BadMessage("no facts")
        return {clean(key): _plain(value) for key, value in found.items()}

    def unit(self, work: Callable[[], T]) -> T:
        """Do it again after a break, on a new link, with the device pinned as before.

        What is a unit of its own within a larger one is done again with that: it may need what was loaded before it.
        """
        if self._in_unit:
            return work()
        self._in_unit = True
        try:
            return self._attempted(work)
        finally:
            self._in_unit = False

    def _attempted(self, work: Callable[[], T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return work()
            except LinkLost as error:
                self._recover(error)
        return work()

    def abandon(self) -> None:
        """End the link for good, while another thread works on it: that ends with LinkLost, and is not tried again."""
        self.abandoned.set()
        self.close()

    def close(self) -> None:
        """End the link, and the agent there."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self.transport.close()

    def _open(self, threads: int) -> Cores:
        if self._connection is not None and self._connection.lost:
            self._connection = None
        found = self.ask("open", threads=threads, who=who()).header.get("cores")
        return tuple(core for core in found if isinstance(core, int)) if isinstance(found, list) else ()

    def _recover(self, lost: LinkLost) -> None:
        """A new link, pinned as before; the error that broke the old one where there is none to be had."""
        if self.abandoned.is_set():
            raise lost
        say(f"{lost.got}; connecting again")
        for delay in DELAYS:
            if self.abandoned.wait(delay):
                break
            self._connection = None
            try:
                self._open(self.threads or 1)
                if not self.threads:
                    self.ask("done")
                return
            except (DeviceUnreachable, DeviceBusy, LinkLost):  # the agent of the broken link may need a while to end
                continue
        raise lost


def _plain(value: Any) -> Any:
    """A number, a text, a list of texts, or None; BadMessage otherwise."""
    if value is None or isinstance(value, str):
        return value and clean(value)
    return [clean(each) for each in value] if isinstance(value, list) else number(value)


def _numbers(sessions: Mapping[str, Session]) -> list[tuple[str, int]]:
    """What the agent calls them."""
    found = [(name, s.alive().number) for name, s in sessions.items() if isinstance(s, RemoteSession)]
    if len(found) != len(sessions):
        raise MeasurementFailed("sessions of this machine and of another cannot be timed together")
    return found


def _timed(answer: Message, names: Sequence[str]) -> Timed:
    """Checked: a result for each session."""
    found, arrays = answer.header.get("found"), answer.arrays()
    if not isinstance(found, dict) or list(found) != list(names):
        raise BadMessage("results of other sessions")
    each = {name: result(found[name], arrays, name) for name in names}
    return Timed(each, number(answer.header.get("background_load")))
