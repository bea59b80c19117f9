"""Where evaluations run: one after another, in processes of this machine, or as tasks of a Ray cluster.

An executor gets architectures and gives back outcomes in any order; rows are numbered when they are proposed, so an
archive does not depend on the executor or the number of its workers. A worker that dies is replaced and its network is
tried again, `retries` times; then it is recorded as failed. One's own code (`python:`) and what has a time limit run in
a process of their own even where nothing else does, for they may take it with them. A new executor is one class and one
line in EXECUTORS.
"""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from annotated_types import Interval

from hwnas.accuracy import Accuracy, timeout
from hwnas.accuracy.given import Given
from hwnas.search import worker
from hwnas.search.underway import Underway
from hwnas.space import Architecture
from profilers.constraints import NotNegative, OneOf
from profilers.errors import BadInput
from profilers.plugins import PREFIX
from profilers.refusals import Refusals

EXECUTORS = {
    "serial": "hwnas.search.executors:Serial",
    "processes": "hwnas.search.processes:Processes",
    "ray": "hwnas.search.ray_tasks:Ray",
}
KINDS = ("auto", *EXECUTORS)


@dataclass(frozen=True)
class ExecutorSettings:
    """Section [executor]; it changes how fast a search is, never what it finds."""

    kind: Annotated[str, OneOf(KINDS)] = "auto"
    """auto is serial with one worker, but processes with several, for python: sources and with evaluate.timeout."""
    workers: Annotated[int, Interval(ge=1, le=1024)] = 1
    """Processes of this machine."""
    retries: Annotated[int, Interval(ge=0, le=100)] = 2
    """How often a network is tried again whose worker died."""
    give_up: bool = True
    """Whether a search ends where the first 5 evaluations fail, or most of the first 20."""
    address: str | None = None
    """Of Ray's cluster; by default one is found or started."""
    num_cpus: NotNegative = 1.0
    """Cores that one evaluation needs of Ray."""
    num_gpus: NotNegative = 0.0
    """GPUs that one evaluation needs of Ray."""
    resources: dict[str, NotNegative] = field(default_factory=dict)
    """Ray's custom resources by name, as in {jetson = 1}."""

    def __post_init__(self) -> None:
        from profilers.validation import check_fields

        check_fields(self)

    def rules(self, found: Refusals) -> None:
        """Only processes can be several."""
        if self.workers > 1 and self.kind not in ("auto", "processes"):
            raise BadInput(f"executor {self.kind} with {self.workers} workers", "workers of processes")


@dataclass(frozen=True)
class Outcome:
    """What became of the architecture at `index`: top1 in percent, or an error; `seconds` that its evaluation took.

    `images` that top1 is over, where that is known.

    Where a worker died, the seconds count from when the network was handed out.
    """

    index: int
    top1: float | None
    error: str | None
    seconds: float
    images: int | None = None


class Executor(ABC):
    """Evaluates architectures; use as a context manager."""

    @classmethod
    @abstractmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """An executor of the accuracy source `source` (see `Config.source`).

        Raises:
            BadInput, FileProblem: the source cannot be opened.
        """

    @abstractmethod
    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        """One outcome for each architecture, as they come."""

    def note_in(self, folder: Path) -> None:  # noqa: B027  most need not
        """Note in a run's folder what is being evaluated, where that may end this process."""

    def stream(self, ask: Callable[[int], Sequence[Architecture]]) -> Iterator[Outcome]:
        """Outcomes, as they come, of what `ask(n)` gives for n free workers, until it gives none and all are done.

        An outcome's index counts the architectures in the order in which they were given. Here all free workers are
        served together; an executor whose workers become free one by one asks for each.
        """
        given = 0
        while archs := ask(self.slots):
            yield from (replace(found, index=given + found.index) for found in self.evaluate(archs))
            given += len(archs)

    @property
    def slots(self) -> int:
        """How many architectures are evaluated at once."""
        return 1

    def close(self) -> None:  # noqa: B027  most have something to end, not all
        """End what was started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Serial(Executor):
    """In this process, in order; as many at once as the source wants."""

    def __init__(self, accuracy: Accuracy, limit: float | None = None, retries: int = ExecutorSettings.retries) -> None:
        self.accuracy, self._limit, self._tries = accuracy, limit, 1 + retries
        self._underway = Underway()

    @classmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """See `Executor`."""
        return cls(worker.open_source(source), timeout.of_source(source), settings.retries)

    def note_in(self, folder: Path) -> None:
        """See `Executor`; only one's own code ends a process."""
        if isinstance(self.accuracy, Given):
            self._underway = Underway(folder, self._tries)

    @property
    def slots(self) -> int:
        """See `Executor`."""
        return worker.batch(self.accuracy)

    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        """See `Executor`."""
        for part in self._underway.parts(archs, worker.batch(self.accuracy)):
            answers = self._answers([archs[i] for i in part])
            yield from (outcome(i, answer) for i, answer in zip(part, answers, strict=True))

    def close(self) -> None:
        """See `Executor`."""
        self._underway.close()

    def _answers(self, archs: Sequence[Architecture]) -> list[dict[str, Any]]:
        if said := self._underway.fatal(archs):
            return [{"error": said, "seconds": 0.0}]
        with self._underway.around(archs):
            return worker.answers(self.accuracy, archs, self._limit)


def start(source: str, settings: ExecutorSettings) -> Executor:
    """The executor that `settings` ask for, of an accuracy source (see `Config.source`)."""
    module, _, name = EXECUTORS[_kind(source, settings)].partition(":")
    made: type[Executor] = getattr(importlib.import_module(module), name)
    return made.start(source, settings)


def _kind(source: str, settings: ExecutorSettings) -> str:
    if settings.kind != "auto":
        return settings.kind
    own_code = json.loads(source)["accuracy"].startswith(PREFIX)
    apart = settings.workers > 1 or own_code or timeout.of_source(source) is not None
    return "processes" if apart else "serial"


def outcome(index: int, answer: Mapping[str, Any]) -> Outcome:
    """A worker's answer as an outcome; BadInput if the source cannot be used."""
    worker.check_open(answer)
    return Outcome(index, answer.get("top1"), answer.get("error"), answer["seconds"], answer.get("images"))
