"""What the agent does for each request, by `profilers.timing.here`, as a measurement without an agent does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from queue import Queue
from time import monotonic, strftime
from typing import Any

import numpy as np

from profilers.base import Options, Samples, Session
from profilers.devices.building import Building
from profilers.devices.checkup import checkup
from profilers.devices.faults import trouble
from profilers.devices.lock import DeviceLock
from profilers.devices.pieces import Kept
from profilers.devices.runtimes import RUNTIMES, describe, runtime
from profilers.devices.wire import Arrays, BadMessage, Message
from profilers.errors import BadInput, HwnasError
from profilers.timing.core_groups import ONE_GROUP, Cores, core_groups, move_threads_since
from profilers.timing.fingerprint import fingerprint
from profilers.timing.here import HERE
from profilers.timing.pinning import allowed_cores
from profilers.timing.samples import ARRAYS, TimingPlan
from profilers.timing.settling import Settling

Answer = tuple[dict[str, Any], Arrays]
NOTHING: Arrays = {}
TEXT = 2000  # characters of an error
PROGRESS_SECONDS = 0.5


class Serving:
    """One connection's sessions, pinned cores and lock.

    Args:
        send: writes one answer; threads may call it at once.
        kept: where pieces of models are kept.
        idle: threads that stay where they are, off the cores on which is timed.
    """

    def __init__(self, send: Callable[[Mapping[str, Any], Arrays], None], kept: Kept, idle: set[int]) -> None:
        self.send, self.kept, self.idle, self.lock = send, kept, idle, DeviceLock()
        self.sessions: dict[int, Session] = {}
        self.numbers = iter(range(1, 1 << 62))
        self.measurement = ExitStack()
        self.pool: ThreadPoolExecutor | None = None
        self.pinned: Cores = ()
        self.cores = allowed_cores()
        self.requests: dict[str, Callable[[Message], Answer]] = {
            "engines": self.engines, "checkup": self.checkup, "core_groups": self.core_groups, "facts": self.facts,
            "open": self.open, "done": self.done, "close": self.close, "learn": self.learn, "time": self.time,
            "run": self.run, "node_times": self.node_times, "node_details": self.node_details,
            "plain_loop": self.plain_loop, **Building(kept).requests,
        }  # fmt: skip

    def handle(self, request: Message) -> None:
        """Answer one request; models are loaded side by side, everything else is done in order."""
        number, what = request.header.get("id"), request.header.get("what")
        if what == "load":
            self.guarded(number, partial(self.load, number, request), answers=False)
        elif what in self.requests:
            self.guarded(number, partial(self.requests[str(what)], request))
        else:
            self.guarded(number, partial(_unknown, what))

    def guarded(self, number: Any, act: Callable[[], Answer], *, answers: bool = True) -> None:
        """Send what `act` gives, or its error."""
        try:
            said, arrays = act()
        except MemoryError:
            self.fail(number, {"kind": "MeasurementFailed", "got": "the device has not enough memory"})
        except HwnasError as error:
            texts = {name: getattr(error, name)[:TEXT] for name in ("got", "allowed", "remedy")}
            self.fail(number, {"kind": type(error).__name__, **texts})
        except OSError as error:
            self.fail(number, trouble(error))
        except Exception as error:
            self.fail(number, {"kind": "", "got": f"the device: {type(error).__name__}: {error}"[:TEXT]})
        else:
            if answers:
                self.send({"id": number, **said}, arrays)

    def fail(self, number: Any, error: Mapping[str, Any]) -> None:
        """Answer with an error."""
        self.send({"id": number, "error": dict(error)}, NOTHING)

    # Requests

    def engines(self, request: Message) -> Answer:
        """What each runtime can do here."""
        return {"engines": [describe(name) for name in RUNTIMES]}, NOTHING

    def checkup(self, request: Message) -> Answer:
        """What this machine is like."""
        return {"checkup": checkup()}, NOTHING

    def core_groups(self, request: Message) -> Answer:
        """See `Place.core_groups`."""
        return {"groups": [list(group) for group in core_groups(self.cores, int(request.header["threads"]))]}, NOTHING

    def facts(self, request: Message) -> Answer:
        """The fingerprint of this machine."""
        options = Options(**request.header["options"])
        return {"fingerprint": fingerprint(runtime(request.header["engine"]), options).to_json()}, NOTHING

    def open(self, request: Message) -> Answer:
        """Take the lock and pin; `groups` are cores that load models side by side."""
        self.done(request)
        who = str(request.header.get("who", ""))[:100]
        self.lock.take({"who": who, "since": strftime("%Y-%m-%d %H:%M:%S"), "process": os.getpid()})
        self.measurement.callback(self.lock.release)
        try:
            self.pinned = self.measurement.enter_context(HERE.pinned(int(request.header["threads"])))
        except HwnasError:
            self.done(request)
            raise
        return {"cores": list(self.pinned)}, NOTHING

    def done(self, request: Message) -> Answer:
        """The end of a measurement: the lock is free, and what was loaded is closed."""
        self.stop_loading()
        for session in self.sessions.values():
            _close(session)
        self.sessions.clear()
        self.pinned = ()
        self.measurement.close()
        return {}, NOTHING

    def load(self, number: Any, request: Message) -> Answer:
        """Load a model; answered when it is loaded, later than other requests."""
        header = request.header
        model = self.kept.join(header.get("pieces"), request.payload)  # in the order of sending: some refer to others
        profiler, options = runtime(header["engine"]), Options(**header["options"])
        if header.get("files"):
            load = partial(profiler.open, self.kept.unpack(header["files"], model), options)
        else:
            load = partial(profiler.load, model, options, traced=bool(header.get("traced")))
        act = partial(self.loaded, load)
        if self.pool is None and self.pinned:
            self.start_loading(options.threads, profiler.supports_parallel_load)
        if self.pool is None:
            self.guarded(number, act)
        else:
            self.pool.submit(self.guarded, number, act)
        return {}, NOTHING

    def loaded(self, load: Callable[[], Session]) -> Answer:
        """A session, and what goes in and comes out."""
        session = load()
        number = next(self.numbers)
        self.sessions[number] = session
        ports = {
            side: {name: [list(t.shape), t.dtype] for name, t in getattr(session, side).items()}
            for side in ("inputs", "outputs")
        }
        return {"session": number, "threads": session.threads, **ports}, NOTHING

    def close(self, request: Message) -> Answer:
        """Close sessions."""
        for number in request.header["sessions"]:
            if number in self.sessions:
                _close(self.sessions.pop(number))
        return {}, NOTHING

    def learn(self, request: Message) -> Answer:
        """See `Place.learn`."""
        self.settle()
        found = HERE.learn(self.named(request), TimingPlan(**request.header["plan"]))
        return {}, {"settling": np.array(found.excess)}

    def time(self, request: Message) -> Answer:
        """See `Place.time`."""
        self.settle()
        header, arrays = request.header, request.arrays()
        timed = HERE.time(
            self.named(request),
            TimingPlan(**header["plan"]),
            settling=_settling(arrays.get("settling")),
            most_runs=header.get("most_runs") or None,
            progress=_Steps(lambda said: self.send(said, NOTHING), header.get("id")),
        )
        found: dict[str, Any] = {}
        samples: dict[str, Any] = {}
        for name, each in timed.found.items():
            if isinstance(each, Samples):
                found[name] = {k: v for k, v in asdict(each).items() if k not in ARRAYS}
                samples |= {f"{kind} {name}": getattr(each, kind) for kind in ARRAYS}
            else:
                found[name] = {"reason": each.reason[:TEXT]}
        return {"found": found, "background_load": timed.background_load}, samples

    def run(self, request: Message) -> Answer:
        """Run a session once, on what is sent or on what it has; its outputs where they are asked for."""
        session, feeds = self.session(request), request.arrays()
        outputs = session.run_on(feeds) if feeds else {}
        started = session.clock.wall()
        if not feeds:
            session.run()
        return {"seconds": session.clock.wall() - started}, outputs

    def node_times(self, request: Message) -> Answer:
        """A row a run, a column a node; NaN where a run has no such node."""
        runs = self.session(request).node_times()
        names = list(dict.fromkeys(name for run in runs for name in run))
        times = np.array([[run.get(name, np.nan) for name in names] for run in runs]).reshape(len(runs), len(names))
        return {"names": names}, {"times": times}

    def node_details(self, request: Message) -> Answer:
        """As of `Session.node_details`."""
        details = self.session(request).node_details()
        return {"details": {name: [d.op, list(d.nodes), list(d.own)] for name, d in details.items()}}, NOTHING

    def plain_loop(self, request: Message) -> Answer:
        """See `Place.plain_loop_ms`."""
        header = request.header
        model = self.kept.join(header.get("pieces"), request.payload)
        return {"ms": HERE.plain_loop_ms(header["engine"], model, int(header["threads"]), header["precision"])}, NOTHING

    # What they share

    def session(self, request: Message) -> Session:
        """The session that a request names."""
        return self._session(request.header.get("session"))

    def named(self, request: Message) -> dict[str, Session]:
        """Sessions by the names that the other side gives them."""
        return {str(name): self._session(number) for name, number in request.header["sessions"]}

    def _session(self, number: Any) -> Session:
        if number not in self.sessions:
            raise BadMessage(f"no session {number!r}")
        return self.sessions[number]

    def start_loading(self, threads: int, parallel: bool) -> None:
        """Threads that load models, each on cores of its own; the first on those where models are timed."""
        groups = core_groups(self.cores, threads) if parallel else ONE_GROUP
        free: Queue[Cores] = Queue()
        for group in groups:
            free.put(group or self.pinned)
        self.pool = ThreadPoolExecutor(len(groups), initializer=partial(_on_cores, free))

    def stop_loading(self) -> None:
        """Wait for what is being loaded."""
        if self.pool is not None:
            self.pool.shutdown()
            self.pool = None

    def settle(self) -> None:
        """Before anything is timed: the threads that runtimes have started go to the pinned cores."""
        self.stop_loading()
        if self.pinned:
            move_threads_since(self.idle, self.pinned)


class _Steps:
    """Reports the timing loop's progress to the other side, between blocks and seldom."""

    def __init__(self, send: Callable[[Mapping[str, Any]], None], number: Any) -> None:
        self.send, self.number, self.waiting, self.sent = send, number, 0.0, 0.0

    def advance(self, amount: float = 1) -> None:
        self.waiting += amount
        if monotonic() - self.sent >= PROGRESS_SECONDS:
            self.send({"id": self.number, "progress": self.waiting})
            self.waiting, self.sent = 0.0, monotonic()

    def note(self, text: str) -> None:
        """Nothing is noted by the loop."""

    def reduce_total(self, amount: float) -> None:
        """Nothing is left out by the loop."""


def _settling(excess: Any) -> Settling | None:
    if excess is None or not len(excess):
        return None
    found = Settling()
    found.excess = list(excess)
    return found


def _close(session: Session) -> None:
    with suppress(Exception):
        session.close()


def _unknown(what: Any) -> Answer:
    raise BadInput(f"request {str(what)[:40]!r}", "one that this agent knows")


def _on_cores(free: Queue[Cores]) -> None:
    """The next group of cores for this thread."""
    if (cores := free.get()) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
