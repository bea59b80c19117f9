"""Where a search stands: the iteration that is open, and which of its networks have no answer yet.

    propose ─► stored ─► each answer is a row ─► all answered: the iteration's figures ─► propose …

What iteration k proposes depends only on the rows of the iterations before it, on the seed and on k; the proposal is
stored before the first of its networks is evaluated. So a run that was killed and continued has the same rows as one
that was not, whoever evaluates (`driver`) or answers (`ask_tell`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.search.archive import FAILED, OK, SUBSET, Evaluation, Proposed
from hwnas.search.executors import Outcome
from hwnas.search.giving_up import without_value
from hwnas.search.metrics import iteration_metrics
from hwnas.search.problem import History
from hwnas.search.rows import Rows
from hwnas.search.run import Run
from hwnas.search.stopping import Stop, reason
from hwnas.search.strategies import LISTED, Context, propose
from hwnas.space import Architecture

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


class SearchState:
    """The state of a run that is being searched; it continues from whatever the archive holds.

    `iteration` is the open one; `ended` says why the search ended before its last iteration, "" if it did not: the
    space may have no new network within the budget, or what was asked for is reached (`stopping`).
    """

    def __init__(self, run: Run) -> None:
        self.run, self.rows, self._since = run, Rows(run), time.perf_counter()
        self._figures = {row["iteration"]: row for row in run.archive.iterations()}
        self.ended = self._enough()
        self._proposed: list[Proposed] = []
        self.iteration = self._next()

    @property
    def finished(self) -> bool:
        """Whether nothing more will be proposed."""
        return bool(self.ended) or self.iteration > self.run.config.search.iterations

    @property
    def figures(self) -> list[Mapping[str, Any]]:
        """Of the finished iterations, in order."""
        return [self._figures[k] for k in sorted(self._figures)]

    @property
    def remaining(self) -> int:
        """Answers that are still to come, at most: a small space may have fewer networks."""
        return 0 if self.finished else max(self.run.config.search.evaluations - len(self.rows), 0)

    @property
    def hypervolume(self) -> float:
        """Of the last finished iteration."""
        return float(self._figures[max(self._figures)]["hypervolume"]) if self._figures else 0.0

    def pending(self) -> list[Proposed]:
        """The open iteration's networks without an answer, proposed now if it has not begun; none at the end."""
        while not self.finished:
            if not self._open():
                break
            if missing := self._missing():
                return missing
            self._close()  # it was killed between the last answer and the figures
        return []

    def record(self, item: Proposed, arch: Architecture, outcome: Outcome) -> Evaluation:
        """Commit an answer for a network of the open iteration, and the iteration's figures if it is the last one."""
        row = _row(self.run, self._iteration(item), item, arch, outcome)
        self.rows.add(row)
        self._answered(item)
        return row

    def more(self, n: int) -> None:
        """Propose at most n networks beside those without an answer: none, where an iteration must be complete."""

    def _iteration(self, item: Proposed) -> int:
        return self.iteration

    def _answered(self, item: Proposed) -> None:
        if not self._missing():
            self._close()

    def _next(self) -> int:
        return next(k for k in range(len(self._figures) + 1) if k not in self._figures)

    def _open(self) -> bool:
        k = self.iteration
        if not self._proposed:
            before = self.rows.before(k)
            self._proposed = self.run.archive.proposal(k) or _propose(self.run, before, k)
            if not self._proposed:
                self.ended = f"ended before iteration {k}: {exhausted(self.run, len(before))}"
        return bool(self._proposed)

    def _missing(self) -> list[Proposed]:
        have = self.rows.answered(self.iteration)
        return [item for item in self._proposed if item.number not in have]

    def _close(self) -> None:
        figures = self._metrics() | {"seconds": time.perf_counter() - self._since}
        self._figures[self.iteration] = {"iteration": self.iteration, **figures}
        self.run.archive.add_iteration(self.iteration, figures)
        self._proposed, self.iteration, self._since = [], self._next(), time.perf_counter()
        self.ended = self._enough()

    def _enough(self) -> str:
        stop = self.run.config.search.stop
        best = float("nan") if stop.top1 is None else self.rows.best_within()
        return "" if stop == Stop() else reason(stop, self.figures, best)

    def _metrics(self) -> dict[str, Any]:
        k, run = self.iteration, self.run
        found, surrogate = self.rows.of(k), run.archive.proposal_info(k)[0]
        known = self.rows.before(k + 1)
        spent = sum(row.seconds for row in found)
        times = {"surrogate": surrogate, "seconds_search": self._seconds_search(k), "seconds_evaluate": spent}
        return iteration_metrics(run.problem, known, self._proposed, found) | times | without_value(run.problem)

    def _seconds_search(self, k: int) -> float:
        return self.run.archive.proposal_info(k)[1]


def exhausted(run: Run, evaluated: int) -> str:
    """Why there is no new network after so many evaluations."""
    limits = ", ".join(f"{n} {v:g}" for n, v in run.config.budget.items())
    within = f" within the budget ({limits})" if limits else ""
    if run.problem.candidates is not None:
        return f"all networks whose accuracy is known{within} are evaluated, {evaluated} in all"
    if run.space.size <= LISTED:
        return f"all networks of the space{within} are evaluated, {evaluated} in all"
    return f"after {evaluated} networks no new one{within} was found"


def _propose(run: Run, known: History, k: int) -> list[Proposed]:
    """The iteration's networks, stored; none if there is no new one."""
    start = time.perf_counter()
    rng = np.random.default_rng([run.config.seed, k])
    last, _ = run.archive.proposal_info(k - 1)
    with one_thread():
        proposal = propose(Context(run.problem, run.config.search, known, k, last, rng, None if k else run.start))
    if not len(proposal.genes):
        return []
    mean, std = proposal.predicted or (None, None)
    seconds = time.perf_counter() - start
    run.archive.add_proposal(k, proposal.genes, mean, std, proposal.surrogate, seconds)
    return run.archive.proposal(k)


def one_thread() -> AbstractContextManager[Any]:
    """On small matrices threads cost more than they give, and sums depend on their number."""
    limited: AbstractContextManager[Any] = _libraries(len(sys.modules)).limit(limits=1)
    return limited


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Those that have threads; to find them takes longer than a proposal's own matrices, so not without new modules."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _row(run: Run, k: int, item: Proposed, arch: Architecture, outcome: Outcome) -> Evaluation:
    genes = np.array([item.genes])
    values = {name: _number(found[0]) for name, found in run.problem.values(genes).items()}
    error = outcome.error or run.problem.why_without_value(genes) or None
    values["top1"] = None if error else outcome.top1
    objectives = {name: values[name] for name in run.problem.objectives}
    status = FAILED if error else OK if run.config.subset is None else SUBSET
    return Evaluation(item.number, k, status, arch, item.genes, objectives, error, outcome.seconds, outcome.images)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
