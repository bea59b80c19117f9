"""Where evaluations run: one after another, in processes of this machine, or as tasks of a Ray cluster.

An executor gets architectures and gives back outcomes in any order; rows are numbered when they are proposed, so an
archive does not depend on the executor or the number of its workers. A worker that dies is replaced and its network is
tried again, `retries` times; then it is recorded as failed. A new executor is one class and one line in EXECUTORS.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from annotated_types import Interval

from hwnas.accuracy import Accuracy
from hwnas.search import worker
from hwnas.space import Architecture
from profilers.constraints import NotNegative, OneOf
from profilers.errors import BadInput
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
    """auto is serial with one worker, else processes."""
    workers: Annotated[int, Interval(ge=1, le=1024)] = 1
    """Processes of this machine."""
    retries: Annotated[int, Interval(ge=0, le=100)] = 2
    """How often a network is tried again whose worker died."""
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

    def close(self) -> None:  # noqa: B027  most have something to end, not all
        """End what was started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Serial(Executor):
    """In this process, in order; as many at once as the source wants."""

    def __init__(self, accuracy: Accuracy) -> None:
        self.accuracy = accuracy

    @classmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """See `Executor`."""
        return cls(worker.open_source(source))

    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        """See `Executor`."""
        size = getattr(self.accuracy, "batch", 1)
        for start in range(0, len(archs), size):
            answers = worker.answers(self.accuracy, archs[start : start + size])
            yield from (outcome(start + i, answer) for i, answer in enumerate(answers))


def start(source: str, settings: ExecutorSettings) -> Executor:
    """The executor that `settings` ask for, of an accuracy source (see `Config.source`)."""
    kind = settings.kind if settings.kind != "auto" else ("processes" if settings.workers > 1 else "serial")
    module, _, name = EXECUTORS[kind].partition(":")
    made: type[Executor] = getattr(importlib.import_module(module), name)
    return made.start(source, settings)


def outcome(index: int, answer: Mapping[str, Any]) -> Outcome:
    """A worker's answer as an outcome; BadInput if the source cannot be used."""
    worker.check_open(answer)
    return Outcome(index, answer.get("top1"), answer.get("error"), answer["seconds"], answer.get("images"))
