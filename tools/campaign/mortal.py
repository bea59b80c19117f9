"""A command of hwnas in a process that can be killed at any moment: after some time, or at the n-th thing that it does
to files.

The process is a fork of this one, which has imported everything already, so that moments are those of the work. What a
command does to files is heard through Python's audit events (PEP 578) and SQLite's trace.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

HUNG = -1000  # the exit code of a command that had to be ended
MARK = "HWNAS_MORTAL"  # in the environment of a command and of all that it starts
HEARD = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "sqlite3.connect", "subprocess.Popen")
# Seconds that what a command started may live on. Ray's agents end by themselves, up to a minute after a SIGKILL.
LINGER = {signal.SIGKILL: 90.0, signal.SIGINT: 1.0, signal.SIGTERM: 1.0}


@dataclass(frozen=True)
class Moment:
    """When a signal is sent: `seconds` after the start, or `late` seconds after the `event`-th thing done to files."""

    number: signal.Signals
    seconds: float = 0.0
    event: int = 0
    late: float = 0.0

    def __str__(self) -> str:
        when = f"event {self.event} + {1e3 * self.late:.1f} ms" if self.event else f"{self.seconds:.2f} s"
        return f"{self.number.name} at {when}"


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative for a signal), what it printed, and what of it still ran."""

    code: int
    out: str
    err: str
    seconds: float
    events: int
    survivors: tuple[str, ...]


def run(
    arguments: Sequence[str],
    folder: Path,
    logs: Path,
    moment: Moment | None = None,
    *,
    limit: float = 240,
    before: Callable[[], object] = bool,
) -> Ended:
    """Run `hwnas ARGUMENTS` in `folder`; `logs` takes its output and its temporary files.

    `before` is called in its process, before the command.
    """
    logs.mkdir(exist_ok=True)
    (logs / "tmp").mkdir(exist_ok=True)
    mark, start = f"{os.getpid()}-{time.monotonic_ns()}", time.monotonic()
    sys.stdout.flush()
    if not (pid := os.fork()):
        _child(arguments, folder, logs, mark, moment, before)
    code = _wait(pid, start, moment, limit)
    seconds = time.monotonic() - start
    number = moment.number if moment else signal.SIGTERM
    left = _survivors(mark, LINGER[number])
    texts = [(logs / name).read_text(errors="replace") for name in ("out", "err", "events")]
    return Ended(code, texts[0], texts[1], seconds, int(texts[2] or 0), tuple(left))


def _wait(pid: int, start: float, moment: Moment | None, limit: float) -> int:
    """The exit code, or HUNG."""
    at = start + moment.seconds if moment and not moment.event else None
    while time.monotonic() < start + limit:
        if at is not None and time.monotonic() >= at and moment:
            at = None
            os.kill(pid, moment.number)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.004)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HUNG


def _child(
    arguments: Sequence[str], folder: Path, logs: Path, mark: str, moment: Moment | None, before: Callable[[], object]
) -> NoReturn:
    code = 99
    try:
        _enter(folder, logs, mark)
        heard = _Heard(moment, (folder, logs))
        sys.addaudithook(heard)
        sqlite3.connect = heard.connecting(sqlite3.connect)  # type: ignore[assignment]
        before()
        code = _main(arguments)
        with suppress(OSError):  # of a shortage
            (logs / "events").write_text(str(heard.events))
            (logs / "modules").write_text("\n".join(sys.modules))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _enter(folder: Path, logs: Path, mark: str) -> None:
    """A session, streams and a folder for temporary files of its own."""
    os.setsid()
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(logs / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    (logs / "events").write_text("0")
    os.environ |= {MARK: mark, "TMPDIR": str(logs / "tmp"), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    tempfile.tempdir = None
    sys.path.insert(0, str(folder))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _main(arguments: Sequence[str]) -> int:
    """As the interpreter does: the exit code, after what is registered for the end."""
    from hwnas.cli import main

    sys.argv = ["hwnas", *arguments]
    try:
        main(list(arguments))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    with suppress(BaseException):
        gc.collect()
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


class _Heard:
    """Counts what is done to files below some folders, and sends this process its signal at the moment."""

    def __init__(self, moment: Moment | None, below: Sequence[Path]) -> None:
        self.events, self.moment = 0, moment
        self.below = tuple(str(path.resolve()) for path in below)

    def __call__(self, name: str, values: tuple[Any, ...]) -> None:
        if name in HEARD and (name == "subprocess.Popen" or self.is_ours(values[0])):
            self.tick()

    def connecting(self, connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        """Connections whose statements count, too."""

        def connected(*arguments: Any, **more: Any) -> sqlite3.Connection:
            made = connect(*arguments, **more)
            made.set_trace_callback(lambda statement: self.tick())
            return made

        return connected

    def is_ours(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike):
            return False
        with suppress(Exception):
            return os.path.realpath(os.fspath(path)).startswith(self.below)
        return False

    def tick(self) -> None:
        """One more."""
        self.events += 1
        if self.moment and self.events == self.moment.event:
            if self.moment.late:
                threading.Thread(target=self.send, daemon=True).start()
            else:
                os.kill(os.getpid(), self.moment.number)

    def send(self) -> None:
        """Some time later, wherever the work is then."""
        assert self.moment is not None
        time.sleep(self.moment.late)
        os.kill(os.getpid(), self.moment.number)


def _survivors(mark: str, seconds: float) -> list[str]:
    """Processes with that mark that have not ended after so many seconds; they are killed."""
    until = time.monotonic() + seconds
    while (found := _marked(mark)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return list(found.values())


def _marked(mark: str) -> dict[int, str]:
    """Living processes by number, with what they are."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (place / "environ").read_bytes():
                words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(place.name)] = words[:80]
    return found
