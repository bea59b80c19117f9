"""Where runtimes run and models are timed: this machine (`profilers.timing.here`), or one elsewhere.

This is the seam at which a measurement is a request: whatever is pinned, loaded, timed or read of a machine goes
through a place, so that never is time taken over a network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Tuple, TypeVar  # noqa: UP035  Python 3.8, in a bundle

from profilers.session import Session
from profilers.timing.samples import Failure, Samples, TimingPlan
from profilers.timing.settling import Settling

if TYPE_CHECKING:
    from profilers.progress import Progress

T = TypeVar("T")
Cores = Tuple[int, ...]  # noqa: UP006


class Timed(NamedTuple):
    """What became of sessions that were timed together, by name, and the mean cores that other processes used."""

    found: Mapping[str, Samples | Failure]
    background_load: float


class Cpu(NamedTuple):
    """What decides which numbers a CPU multiplies exactly: its kind, and its instruction sets."""

    machine: str
    flags: tuple[str, ...]


class Place(ABC):
    """One machine on which models are loaded and timed."""

    @abstractmethod
    def cpu(self) -> Cpu:
        """The machine's."""

    @abstractmethod
    def core_groups(self, threads: int) -> tuple[Cores, ...]:
        """The cores that load models side by side, those first on which they are timed."""

    @abstractmethod
    def pinned(self, threads: int) -> AbstractContextManager[Cores]:
        """Keep what is loaded and timed inside on so many cores, and the libraries' threads off them.

        Raises:
            BadInput: more threads than cores are allowed.
        """

    @abstractmethod
    def load(self, loads: Mapping[str, Callable[[], Session]], groups: Sequence[Cores]) -> dict[str, Session]:
        """Open sessions by name; begun in the order of `loads`. If one fails, all are closed and its error raised."""

    @abstractmethod
    def learn(self, sessions: Mapping[str, Session], plan: TimingPlan) -> Settling:
        """How many untimed runs models take; see `profilers.timing.loop.learn_settling`."""

    @abstractmethod
    def time(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        *,
        settling: Settling | None = None,
        most_runs: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> Timed:
        """Time sessions against each other; see `profilers.timing.loop.time_sessions`."""

    @abstractmethod
    def plain_loop_ms(self, engine: str, model: bytes, threads: int, precision: str) -> float:
        """Milliseconds by a plain loop in a fresh process; see `profilers.timing.fresh_process`."""

    def unit(self, work: Callable[[], T]) -> T:
        """Do work that stands alone: what it loads it closes. Where a link breaks in it, it is done again."""
        return work()

    def facts(self, engine: str, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The fingerprint that the machine makes of itself, as JSON; None where it is this one."""
        return None
