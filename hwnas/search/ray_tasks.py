"""Evaluations as tasks of a Ray cluster (extra `ray`).

Every node needs hwnas, and the accuracy source's files at the same place (a shared folder). Each Ray worker process
opens the source once. Ray itself tries a task again whose worker or node died (`max_retries`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import Any, Self

from hwnas.search.executors import Executor, ExecutorSettings, Outcome, outcome
from hwnas.search.worker import serve
from hwnas.space import Architecture
from profilers.errors import BadInput, EngineUnavailable, MeasurementFailed
from profilers.interruption import deaf, first_done

_LOOK_SECONDS = 10.0  # how long nothing may happen before it is checked that something still can
_BEGINNING_SECONDS = 30.0  # at most, until what has begun to start can be ended


class Ray(Executor):
    """Leaves a cluster that was in use before as it was; else connects to one, or starts one on this machine."""

    def __init__(self, source: str, settings: ExecutorSettings) -> None:
        self._ray, self._source, self._settings = _import(), source, settings
        self._link = None if self._ray.is_initialized() else _Link(self._ray, settings.address)
        needs = {"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus, "resources": settings.resources}
        self._task = self._ray.remote(max_retries=settings.retries, **needs)(serve)

    @classmethod
    def start(cls, source: str, settings: ExecutorSettings) -> Self:
        """See `Executor`.

        Raises:
            EngineUnavailable: Ray is not installed, or the cluster does not answer.
            BadInput: no node has what an evaluation needs.
        """
        found = cls(source, settings)
        if not found._possible():
            found.close()
            raise BadInput(f"no node of the cluster has {found._needs()}", found._nodes(), "[executor] with less")
        return found

    def evaluate(self, archs: Sequence[Architecture]) -> Iterator[Outcome]:
        """See `Executor`; MeasurementFailed once no node is left that could do it. Ray has them wait for workers."""
        rest = iter(archs)
        yield from self._asking(lambda pending: tuple(rest))

    def stream(self, ask: Callable[[int], Sequence[Architecture]]) -> Iterator[Outcome]:
        """See `Executor`; as many at once as the cluster's nodes can take at that time."""
        yield from self._asking(lambda pending: ask(free) if (free := self.slots - pending) > 0 else ())

    def _asking(self, ask: Callable[[int], Sequence[Architecture]]) -> Iterator[Outcome]:
        """`ask` gives what is to be begun beside so many that are pending."""
        pending: dict[Any, tuple[int, float]] = {}
        given = 0
        try:
            while True:
                for arch in ask(len(pending)):
                    pending[self._task.remote(self._source, arch.to_json())] = given, time.perf_counter()
                    given += 1
                if not pending:
                    return
                for task in self._done(list(pending)):
                    yield self._outcome(task, *pending.pop(task))
        finally:
            for task in pending:
                self._ray.cancel(task, force=True)

    def _done(self, tasks: list[Any]) -> list[Any]:
        """Those that have ended by now, or the first to end; none where a new node is to be looked for."""
        done, rest = self._ray.wait(tasks, timeout=_LOOK_SECONDS)
        if not done and not self._possible():
            raise MeasurementFailed(f"no node is left with {self._needs()}", remedy="add one, and begin again")
        more = self._ray.wait(rest, num_returns=len(rest), timeout=0)[0] if done and rest else []
        return [*done, *more]

    @property
    def slots(self) -> int:
        """See `Executor`; of the nodes that live."""
        needs = self._needs()
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        fits = [min((int(node.get(name, 0) / n) for name, n in needs.items()), default=1) for node in nodes]
        return max(sum(fits), 1)

    def close(self) -> None:
        """Leave the cluster, unless it was in use before."""
        if self._link:
            self._link.leave()

    def _outcome(self, task: Any, index: int, begun: float) -> Outcome:
        try:
            found = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            line = " ".join(str(error).split())
            said = f"{type(error).__name__}: {line}, tried {1 + self._settings.retries} times"
            return Outcome(index, None, said, time.perf_counter() - begun)
        return outcome(index, found)

    def _needs(self) -> dict[str, float]:
        settings = self._settings
        needs = {"CPU": settings.num_cpus, "GPU": settings.num_gpus, **settings.resources}
        return {name: amount for name, amount in needs.items() if amount}

    def _possible(self) -> bool:
        """Whether a living node has what an evaluation needs, even if it is busy."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return any(all(node.get(name, 0) >= n for name, n in self._needs().items()) for node in nodes)

    def _nodes(self) -> str:
        hidden = ("node:", "memory", "object_store_memory")
        has = [
            {k: v for k, v in node["Resources"].items() if not k.startswith(hidden)}
            for node in self._ray.nodes()
            if node["Alive"]
        ]
        return " or ".join(map(str, has))


def _import() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise EngineUnavailable("executor ray needs Ray", remedy="pip install 'hwnas[ray]'") from error
    return ray


class _Link:
    """Membership of a cluster: Ray begins in a thread of its own, which lives as long as the link.

    There an interruption does not reach it, so it never stops with half of its processes started, of which it would
    know nothing; and those that it starts end with the thread that started them (Linux: PR_SET_PDEATHSIG).
    """

    def __init__(self, ray: Any, address: str | None) -> None:
        self._ray, self._begun, self._left = ray, Future[object](), threading.Event()
        threading.Thread(target=self._live, args=(address,), name="ray", daemon=True).start()
        try:
            first_done([self._begun])
        except KeyboardInterrupt:
            with deaf():
                wait([self._begun], 0 if address else _BEGINNING_SECONDS)
                self.leave()
            raise
        try:
            self._begun.result()
        except (ConnectionError, ValueError, RuntimeError) as error:
            self._left.set()
            got = f"the Ray cluster {address or '(default)'} does not answer: {' '.join(str(error).split())[:200]}"
            raise EngineUnavailable(got, remedy="ray start --head, and its address in [executor] address") from error

    def _live(self, address: str | None) -> None:
        try:
            self._begun.set_result(self._ray.init(address=address, log_to_driver=False, logging_level="error"))
        except BaseException as error:
            self._begun.set_exception(error)
        self._left.wait()

    def leave(self) -> None:
        """End what it started, or leave the cluster that was there."""
        self._ray.shutdown()
        self._left.set()
