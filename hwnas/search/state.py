"""Where a search stands: the iteration that is open, and which of its networks have no answer yet.

    propose ─► stored ─► each answer is a row ─► all answered: the iteration's figures ─► propose …

What iteration k proposes depends only on the rows of the iterations before it, on the seed and on k; the proposal is
stored before the first of its networks is evaluated. So a run that was killed and continued has the same rows as one
that was not, whoever evaluates (`driver`) or answers (`ask_tell`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from hwnas.search.archive import FAILED, OK, Evaluation, Proposed, history
from hwnas.search.executors import Outcome
from hwnas.search.front import may_be_chosen
from hwnas.search.kept_weights import drop_weights, kept_ids
from hwnas.search.metrics import iteration_metrics
from hwnas.search.run import Run
from hwnas.search.stopping import Stop, reason
from hwnas.search.strategies import LISTED, Context, propose
from hwnas.space import Architecture


class SearchState:
    """The state of a run that is being searched; it continues from whatever the archive holds.

    `iteration` is the open one; `ended` says why the search ended before its last iteration, "" if it did not: the
    space may have no new network within the budget, or what was asked for is reached (`stopping`).
    """

    def __init__(self, run: Run) -> None:
        self.run, self.rows, self._since = run, _Rows(run), time.perf_counter()
        self._figures = {row["iteration"]: row for row in run.archive.iterations()}
        self.ended = self._enough()
        self._proposed: list[Proposed] = []
        self.iteration = self._next()

    @property
    def finished(self) -> bool:
        """Whether nothing more will be proposed."""
        return bool(self.ended) or self.iteration > self.run.config.search.iterations

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

    def record(self, item: Proposed, arch: Architecture, outcome: Outcome) -> None:
        """Commit an answer for a network of the open iteration, and the iteration's figures if it is the last one."""
        self.rows.add(_row(self.run, self.iteration, item, arch, outcome))
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
                self.ended = f"ended before iteration {k}: {_exhausted(self.run, len(before))}"
        return bool(self._proposed)

    def _missing(self) -> list[Proposed]:
        have = {row.number for row in self.rows.of(self.iteration)}
        return [item for item in self._proposed if item.number not in have]

    def _close(self) -> None:
        figures = self._metrics() | {"seconds": time.perf_counter() - self._since}
        self._figures[self.iteration] = {"iteration": self.iteration, **figures}
        self.run.archive.add_iteration(self.iteration, figures)
        self._proposed, self.iteration, self._since = [], self._next(), time.perf_counter()
        self.ended = self._enough()

    def _enough(self) -> str:
        stop, figures = self.run.config.search.stop, [self._figures[k] for k in sorted(self._figures)]
        return "" if stop == Stop() else reason(stop, figures, self.rows.best_within())

    def _metrics(self) -> dict[str, Any]:
        k, run = self.iteration, self.run
        found, (surrogate, seconds) = self.rows.of(k), run.archive.proposal_info(k)
        known = history(self.rows.before(k + 1), run.space.n_genes)
        spent = sum(row.seconds for row in found)
        times = {"surrogate": surrogate, "seconds_search": seconds, "seconds_evaluate": spent}
        return iteration_metrics(run.problem, known, self._proposed, found) | times


class _Rows:
    """A run's evaluations by number: read once, then appended to. Weights that nobody will choose go at once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._by_number = {row.number: row for row in run.archive.evaluations()}
        self.drop_weights()

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, row: Evaluation) -> None:
        """Commit a row."""
        self.run.archive.add_evaluation(row)
        self._by_number[row.number] = row
        self.drop_weights()

    def before(self, iteration: int) -> list[Evaluation]:
        """Those of the iterations before, in the order of the run."""
        return [row for _, row in sorted(self._by_number.items()) if row.iteration < iteration]

    def of(self, iteration: int) -> list[Evaluation]:
        """Those of one iteration, in the order of the run."""
        return [row for _, row in sorted(self._by_number.items()) if row.iteration == iteration]

    def with_id(self, key: str) -> Evaluation | None:
        """The row of the network of that id."""
        return next((row for row in self._by_number.values() if row.arch.id == key), None)

    def largest_top1(self) -> float:
        """The best accuracy so far, in percent; 0 without any."""
        return max((row.objectives["top1"] or 0.0 for row in self._by_number.values()), default=0.0)

    def best_within(self) -> float:
        """The best accuracy within the budgets, in percent; NaN without any."""
        problem = self.run.problem
        done = problem.normalised(history(list(self._by_number.values()), self.run.space.n_genes))[0]
        return float(done.top1.max()) if len(done) else float("nan")

    def drop_weights(self) -> None:
        """Remove the weights of evaluated networks that nobody will choose."""
        kept = kept_ids(self.run.folder)
        if not kept:
            return
        rows = list(self._by_number.values())
        wanted = {row.arch.id for row in may_be_chosen(self.run.problem, rows, self.run.tables)}
        drop_weights(self.run.folder, kept & {row.arch.id for row in rows} - wanted)


def _exhausted(run: Run, evaluated: int) -> str:
    limits = ", ".join(f"{n} {v:g}" for n, v in run.config.budget.items())
    within = f" within the budget ({limits})" if limits else ""
    if run.space.size <= LISTED:
        return f"all networks of the space{within} are evaluated, {evaluated} in all"
    return f"after {evaluated} networks no new one{within} was found"


def _propose(run: Run, before: Sequence[Evaluation], k: int) -> list[Proposed]:
    """The iteration's networks, stored; none if there is no new one."""
    from threadpoolctl import threadpool_limits

    start = time.perf_counter()
    rng = np.random.default_rng([run.config.seed, k])
    known, (last, _) = history(before, run.space.n_genes), run.archive.proposal_info(k - 1)
    with threadpool_limits(1):  # small matrices: threads cost more than they give, and sums depend on their number
        proposal = propose(Context(run.problem, run.config.search, known, k, last, rng, None if k else run.start))
    if not len(proposal.genes):
        return []
    mean, std = proposal.predicted or (None, None)
    seconds = time.perf_counter() - start
    run.archive.add_proposal(k, proposal.genes, mean, std, proposal.surrogate, seconds)
    return run.archive.proposal(k)


def _row(run: Run, k: int, item: Proposed, arch: Architecture, outcome: Outcome) -> Evaluation:
    looked_up = {name: float(values[0]) for name, values in run.problem.values(np.array([item.genes])).items()}
    objectives = {name: outcome.top1 if name == "top1" else looked_up[name] for name in run.problem.objectives}
    status = FAILED if outcome.error else OK
    return Evaluation(
        item.number, k, status, arch, item.genes, objectives, outcome.error, outcome.seconds, outcome.images
    )
