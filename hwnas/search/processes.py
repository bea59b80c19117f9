"""Evaluations in processes of this machine, each of which opens the accuracy source once (`hwnas.search.worker`)."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Self

from hwnas.search.executors import Executor, ExecutorSettings, Outcome, outcome
from hwnas.search.worker import check_open
from hwnas.space import Architecture
from profilers.errors import MeasurementFailed


class Processes(Executor):
    """`workers` processes; one that dies is replaced."""

    def __init__(self, source: str, workers: int, retries: int) -> None:
        self._source, self._retries, self._closed = source, retries, False
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers = [_Worker(source) for _ in range(workers)]  # all start, then all are waited for
        self._threads = ThreadPoolExecutor(workers)  # each does nothing but wait for a process
        for started in self._workers:
            self._idle.put(started)

    @classmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """See `Executor`; MeasurementFailed if a process dies while it opens the source."""
        found = cls(source, settings.workers, settings.retries)
        try:
            for started in found._workers:
                started.ready()
        except BaseException as error:
            found.close()
            if isinstance(error, _DiedError):
                raise MeasurementFailed(
                    f"{error} while it opened the accuracy source",
                    remedy="one worker (--workers 1, or workers = 1 in [executor])",
                ) from error
            raise
        return found

    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        """See `Executor`."""
        tasks = [self._threads.submit(self._one, index, arch) for index, arch in enumerate(archs)]
        try:
            for task in as_completed(tasks):
                yield task.result()
        finally:
            for task in tasks:
                task.cancel()

    def close(self) -> None:
        """Kill the processes."""
        self._closed = True
        for running in self._workers:
            running.kill()
        self._threads.shutdown(cancel_futures=True)
        for running in self._workers:  # one that was being replaced meanwhile
            running.kill()

    def _one(self, index: int, arch: Architecture) -> Outcome:
        start, used = time.perf_counter(), self._idle.get()
        try:
            for _ in range(1 + self._retries):
                try:
                    used = used if used.alive else self._replace(used)
                    return outcome(index, used.ask(arch))
                except _DiedError as error:
                    died = str(error)
            return Outcome(index, None, f"{died}, tried {1 + self._retries} times", time.perf_counter() - start)
        finally:
            self._idle.put(used)

    def _replace(self, dead: _Worker) -> _Worker:
        if self._closed:
            raise _DiedError("the search was ended")
        fresh = _Worker(self._source)
        self._workers[self._workers.index(dead)] = fresh
        fresh.ready()
        return fresh


class _DiedError(Exception):
    """A worker ended without an answer."""


class _Worker:
    """A process of `hwnas.search.worker`."""

    def __init__(self, source: str) -> None:
        command = [sys.executable, "-m", "hwnas.search.worker"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment,
            start_new_session=True,  # Ctrl-C is for the search, which then ends its workers
        )  # fmt: skip
        self._send({"source": source, "parent": os.getpid()})

    def ready(self) -> None:
        """Wait until the source is open."""
        check_open(self._receive())

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, arch: Architecture) -> dict[str, Any]:
        """The answer for one architecture."""
        self._send(arch.to_json())
        return self._receive()

    def kill(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        self._process.wait()

    def _send(self, value: Any) -> None:
        assert self._process.stdin is not None  # a pipe
        try:
            print(json.dumps(value), file=self._process.stdin, flush=True)
        except OSError as error:
            raise self._died() from error

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # a pipe
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._died()
        found: dict[str, Any] = json.loads(line)
        return found

    def _died(self) -> _DiedError:
        self.kill()
        return _DiedError(f"the evaluating process died (exit code {self._process.returncode})")
