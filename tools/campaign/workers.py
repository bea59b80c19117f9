"""Processes that try inputs, one at a time; one that hangs or dies is replaced, and its input is a finding."""

from __future__ import annotations

import queue
import resource
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from tools.campaign.case import Kind
from tools.campaign.inside import tried
from tools.campaign.judge import DIED, HANG, Finding

MEMORY = 12 << 30  # bytes of address space: an input that wants more gets a MemoryError
START = 120.0  # seconds for a process to import what it needs
FINALLY = 15.0  # times an input's limit, after which its process is killed


@dataclass(frozen=True)
class Tried:
    """What came of one input.

    Args:
        what: the mutation in words; "" where its process was lost.
        took: whether a command took it.
        folder: in which it was made; removed where nothing was found.
    """

    number: int
    what: str
    findings: list[Finding]
    took: bool
    folder: Path


def each(kind: Kind, seed: int, numbers: Sequence[int], prepared: Path, out: Path, workers: int) -> Iterator[Tried]:
    """The inputs of these numbers, as they end; each in a folder of its own below `out`."""
    done: queue.Queue[Tried] = queue.Queue()
    for lane in range(workers):
        arguments = (kind, seed, numbers[lane::workers], prepared, out, done)
        threading.Thread(target=_lane, args=arguments, daemon=True).start()
    for _ in numbers:
        yield done.get()


def _lane(kind: Kind, seed: int, numbers: Sequence[int], prepared: Path, out: Path, done: queue.Queue[Tried]) -> None:
    worker: _Worker | None = None
    for number in numbers:
        worker = worker if worker is not None and worker.alive else _Worker(kind, seed, prepared)
        found = worker.tried(number, out / f"{kind.name}-{seed}-{number}")
        if not found.findings:
            shutil.rmtree(found.folder, ignore_errors=True)
        done.put(found)
    if worker is not None:
        worker.end()


class _Worker:
    def __init__(self, kind: Kind, seed: int, prepared: Path) -> None:
        self._seconds, self.alive = START + FINALLY * kind.seconds, True
        self._later = FINALLY * kind.seconds
        context = get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, kind, seed, prepared), daemon=True)
        self._process.start()
        there.close()

    def tried(self, number: int, here: Path) -> Tried:
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir(parents=True)
        try:
            self._pipe.send((number, here))
            if not self._pipe.poll(self._seconds):
                return self._lost(number, here, HANG, "its process had to be killed")
            what, findings, took = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            return self._lost(number, here, DIED, f"exit code {self._process.exitcode}")
        self._seconds = self._later
        return Tried(number, what, findings, took, here)

    def _lost(self, number: int, here: Path, verdict: str, text: str) -> Tried:
        self.end()
        return Tried(number, "", [Finding(verdict, text)], False, here)

    def end(self) -> None:
        self.alive = False
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe: Connection, kind: Kind, seed: int, prepared: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    kind.ready()
    while True:
        number, here = pipe.recv()
        pipe.send(tried(kind, seed, number, prepared, here))
