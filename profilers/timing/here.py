"""The place at hand: models are loaded and timed on this machine, by this process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from profilers.session import Session
from profilers.timing.background_load import BackgroundLoad
from profilers.timing.core_groups import core_groups, load_in_parallel
from profilers.timing.fingerprint import cpu_flags
from profilers.timing.fresh_process import fresh_process_ms
from profilers.timing.loop import learn_settling, time_sessions
from profilers.timing.pinning import allowed_cores, gather, pin
from profilers.timing.place import Cores, Cpu, Place, Timed
from profilers.timing.samples import TimingPlan
from profilers.timing.settling import Settling

if TYPE_CHECKING:
    from profilers.progress import Progress


class Here(Place):
    """What `Place` says, done by this process."""

    def cpu(self) -> Cpu:
        """See `Place`."""
        return Cpu(platform.machine(), cpu_flags())

    def core_groups(self, threads: int) -> tuple[Cores, ...]:
        """Of the cores that this process may use."""
        return core_groups(allowed_cores(), threads)

    @contextmanager
    def pinned(self, threads: int) -> Iterator[Cores]:
        """Pin this thread and what it starts, and limit BLAS and torch to as many threads; all is restored."""
        with pin(threads) as cores, _library_threads(threads):
            yield cores

    def load(self, loads: Mapping[str, Callable[[], Session]], groups: Sequence[Cores]) -> dict[str, Session]:
        """See `Place`."""
        return load_in_parallel(loads, groups)

    def learn(self, sessions: Mapping[str, Session], plan: TimingPlan) -> Settling:
        """See `Place`."""
        _gather(sessions)
        return learn_settling(sessions, plan)

    def time(
        self,
        sessions: Mapping[str, Session],
        plan: TimingPlan,
        *,
        settling: Settling | None = None,
        most_runs: Mapping[str, int] | None = None,
        progress: Progress | None = None,
    ) -> Timed:
        """See `Place`."""
        _gather(sessions)
        load = BackgroundLoad()
        found = time_sessions(sessions, plan, settling=settling, most_runs=most_runs, progress=progress)
        return Timed(found, load.cores())

    def plain_loop_ms(self, engine: str, model: bytes, threads: int, precision: str) -> float:
        """See `Place`."""
        return fresh_process_ms(engine, model, threads, precision)


HERE = Here()


def _gather(sessions: Mapping[str, Session]) -> None:
    """Bring the threads that help models of several threads to the pinned cores; some begin only in a run."""
    helped = [session for session in sessions.values() if session.threads > 1]
    for session in helped:
        with suppress(Exception):  # the timing loop says what fails
            session.run()
    if helped:
        gather()


@contextmanager
def _library_threads(threads: int) -> Iterator[None]:
    """BLAS on one thread, since those of small matrices cost more than they give; torch on the options', if loaded."""
    with ExitStack() as stack:
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:  # a device elsewhere, where the environment says it (profilers.devices.agent)
            pass
        else:
            stack.enter_context(threadpool_limits(1, user_api="blas"))
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch, "set_num_threads"):
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        yield
