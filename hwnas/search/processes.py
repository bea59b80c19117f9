"""Evaluations in processes of this machine, each of which opens the accuracy source once (`hwnas.search.worker`)."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from hwnas.accuracy import timeout
from hwnas.search.executors import Executor, ExecutorSettings, Outcome, outcome
from hwnas.search.seat import Died, Late, Seat
from hwnas.space import Architecture
from profilers.errors import MeasurementFailed
from profilers.interruption import as_done, first_done


class Processes(Executor):
    """`workers` processes; one that dies, or takes longer than `evaluate.timeout`, is replaced."""

    def __init__(self, source: str, workers: int, retries: int) -> None:
        self._retries, self._limit = retries, timeout.of_source(source)
        self._idle: queue.SimpleQueue[Seat] = queue.SimpleQueue()
        self._seats = [Seat(source) for _ in range(workers)]  # all start, then all are waited for
        self._threads = ThreadPoolExecutor(workers)  # each does nothing but wait for a process
        for seat in self._seats:
            self._idle.put(seat)

    @classmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """See `Executor`; MeasurementFailed if a process dies while it opens the source."""
        found = cls(source, settings.workers, settings.retries)
        try:
            for seat in found._seats:
                seat.ready()
        except BaseException as error:
            found.close()
            if isinstance(error, Died):
                raise MeasurementFailed(
                    f"{error} while it opened the accuracy source",
                    remedy="fewer workers (--workers 1, or workers = 1 in [executor])" if settings.workers > 1 else "",
                ) from error
            raise
        return found

    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        """See `Executor`."""
        n, seats = len(archs), self._seats
        size = max(1, min(seats[0].batch, math.ceil(n / len(seats))))
        parts = [range(i, min(i + size, n)) for i in range(0, n, size)]
        tasks = [self._threads.submit(self._part, part, archs) for part in parts]
        try:
            for task in as_done(tasks):
                yield from task.result()
        finally:
            for task in tasks:
                task.cancel()

    def stream(self, ask: Callable[[int], Sequence[Architecture]]) -> Iterator[Outcome]:
        """See `Executor`."""
        tasks: set[Future[Outcome]] = set()
        given = 0
        try:
            while True:
                archs = ask(self.slots - len(tasks)) if len(tasks) < self.slots else ()
                tasks |= {self._threads.submit(self._one, given + i, arch) for i, arch in enumerate(archs)}
                given += len(archs)
                if not tasks:
                    return
                done, tasks = first_done(tasks)
                yield from (task.result() for task in done)
        finally:
            for task in tasks:
                task.cancel()

    @property
    def slots(self) -> int:
        """See `Executor`."""
        return len(self._seats)

    def close(self) -> None:
        """Kill the processes."""
        for seat in self._seats:
            seat.kill()
        self._threads.shutdown(cancel_futures=True)

    def _one(self, index: int, arch: Architecture) -> Outcome:
        seat = self._idle.get()
        try:
            return self._alone(seat, index, arch)
        finally:
            self._idle.put(seat)

    def _part(self, part: range, archs: Sequence[Architecture]) -> list[Outcome]:
        seat = self._idle.get()
        try:
            return self._answers(seat, part, archs)
        finally:
            self._idle.put(seat)

    def _answers(self, seat: Seat, part: range, archs: Sequence[Architecture]) -> list[Outcome]:
        """Of networks that are asked for together; where their process dies or is late, each is asked for alone."""
        if len(part) == 1:
            return [self._alone(seat, part[0], archs[part[0]])]
        try:
            found = seat.ask([archs[i] for i in part], self._limit and self._limit * len(part))
        except (Died, Late):
            return [self._alone(seat, i, archs[i]) for i in part]
        return [outcome(i, answer) for i, answer in zip(part, found, strict=True)]

    def _alone(self, seat: Seat, index: int, arch: Architecture) -> Outcome:
        start, tries = time.perf_counter(), 1 + self._retries
        for _ in range(tries):
            try:
                return outcome(index, seat.ask([arch], self._limit)[0])
            except Died as error:
                failed = f"{error}, tried {tries} times"
            except Late:
                failed = timeout.reason(self._limit or 0.0)
                break
        return Outcome(index, None, failed, time.perf_counter() - start)
