"""Where anything is measured: threads pinned, libraries held to as many, and one loop that times.

    with measuring(options) as bench:
        sessions = {...: profiler.load(...)}       # inside, so that the runtime's threads are pinned too
        bench.time(sessions, plans.ENGINE)         # Samples or a Failure by name

Models are loaded as any process loads them: where in memory they come to lie is the user's machine's own affair.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from profilers.base import INTERRUPTED, Failure, Options, Samples, Session, TimingPlan
from profilers.progress import Progress
from profilers.timing.background_load import BackgroundLoad
from profilers.timing.loop import learn_settling, time_sessions
from profilers.timing.pinning import pin
from profilers.timing.settling import Settling


@dataclass
class Measuring:
    """One measurement on this machine, of one or more calls of `time`; opened by `measuring`.

    `cores` are those it is pinned to, `background_load` the mean cores that other processes used in each call so far.
    """

    options: Options
    cores: tuple[int, ...]
    background_load: list[float] = field(default_factory=list)
    settling: Settling = field(default_factory=Settling)

    def learn(self, sessions: Mapping[str, Session], plan: TimingPlan) -> None:
        """Learn once how many untimed runs models take; without, each call of `time` learns it of its own sessions."""
        if self.options.state != INTERRUPTED:
            self.settling = learn_settling(sessions, plan)

    def time(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        *,
        state: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Samples | Failure]:
        """Time sessions against each other by the plan, in the options' state or the one given."""
        others = BackgroundLoad()
        plan = replace(plan, state=state or self.options.state)
        settling = self.settling if self.settling.known else None
        found = time_sessions(sessions, plan, settling=settling, progress=progress)
        self.background_load.append(others.cores())
        return found


@contextmanager
def measuring(options: Options) -> Iterator[Measuring]:
    """Pin this thread and what it starts, and hold BLAS and torch to as many threads; all is restored afterwards.

    Raises:
        BadInput: more threads than cores are allowed.
    """
    with pin(options.threads) as cores, _library_threads(options.threads):
        yield Measuring(options, cores)


@contextmanager
def _library_threads(threads: int) -> Iterator[None]:
    """BLAS on one thread, since those of small matrices cost more than they give; torch on the options', if loaded."""
    from threadpoolctl import threadpool_limits

    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1, user_api="blas"))
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "set_num_threads"):
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        yield
