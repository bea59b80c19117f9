"""A worker's seat: a process of `hwnas.search.worker`, and another one in its place where it died."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hwnas.search.worker import check_open
from hwnas.space import Architecture

LOOK = 1.0  # s between two looks whether a silent process still runs: its children may hold its stdout open
Answers = list[dict[str, Any]]


class Died(Exception):
    """A worker ended without an answer."""


class Late(Exception):
    """A worker gave no answer in its time, and was ended."""


class Seat:
    """One at a time evaluates here; its process has opened `source` (see `Config.source`) after `ready`."""

    def __init__(self, source: str) -> None:
        self._source, self._closed, self.batch = source, False, 1
        self._process = _Process(source)

    def ready(self) -> None:
        """Wait until the source is open; BadInput or FileProblem if it cannot be, `Died` as it says."""
        opened = self._process.receive(None)
        check_open(opened)
        self.batch = int(opened["batch"])

    def ask(self, archs: Sequence[Architecture], seconds: float | None) -> Answers:
        """The answers for a batch, within `seconds`; raises `Died` or `Late`."""
        if not self._process.alive:
            self._replace()
        self._process.send([arch.to_json() for arch in archs])
        found: Answers = self._process.receive(seconds)
        return found

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def kill(self) -> None:
        """End the process and wait for it; no other one takes its place."""
        self._closed = True
        self._process.kill()

    def _replace(self) -> None:
        if self._closed:
            raise Died("the search was ended")
        self._process = _Process(self._source)
        if self._closed:  # meanwhile
            self._process.kill()
        self.ready()


class _Process:
    def __init__(self, source: str) -> None:
        # -P: the folder that one stands in is no place of modules, unless it was one here
        command = [sys.executable, "-P", "-m", "hwnas.search.worker"]
        places = os.pathsep.join(place or str(os.getcwd()) for place in sys.path)  # noqa: PTH109
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": places},
            start_new_session=True,  # Ctrl-C is for the search, which then ends its workers
        )  # fmt: skip
        self._read = b""
        with suppress(Died):  # which `receive` tells
            self.send({"source": source, "parent": os.getpid()})

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, value: Any) -> None:
        assert self._process.stdin is not None  # a pipe
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def receive(self, seconds: float | None) -> Any:
        """The next line; within `seconds`, or whenever it comes."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._read:
            if (left := end - time.monotonic()) <= 0:
                self.kill()
                raise Late
            if not self._more(min(left, LOOK)):
                raise self._died()
        line, _, self._read = self._read.partition(b"\n")
        return json.loads(line)

    def _more(self, seconds: float) -> bool:
        """Read what comes in that time; False if nothing will."""
        assert self._process.stdout is not None  # a pipe
        stream = self._process.stdout.fileno()
        watched = select.poll()
        watched.register(stream, select.POLLIN)
        if not watched.poll(1000 * seconds):
            return self.alive
        part = os.read(stream, 1 << 16)
        self._read += part
        return bool(part)

    def kill(self) -> None:
        """With its children: it leads a session of its own."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _died(self) -> Died:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LOOK)  # it has closed its stdout, and is about to end
        self.kill()
        return Died(f"the evaluating process died ({_ending(self._process.returncode)})")


def _ending(code: int) -> str:
    """Of a process, in words."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"{signal.Signals(-code).name}, exit code {code}"
    return f"signal {-code}, exit code {code}"
