"""Proposals without batches: a free worker gets a network at once, chosen in view of those that are being evaluated.

    numbers   0 .. initial - 1 | initial .. + per_iteration - 1 | …     networks in the order of their proposal
    iteration         0        |               1                | …     complete when all its numbers have answers

What is proposed depends on the seed, on its number, on which networks have answers and which have none yet, and on how
many are wanted; so the same order of arrival gives the same run. The surrogate takes those without an answer as it
believes them (`strategies`), so that none is proposed twice and none beside another for the same reason. Figures of
an iteration are written when it is complete, in order, whichever of its networks was answered first.
Source: Ginsbourger, Le Riche and Carraro, Kriging is well-suited to parallelize optimization (the Kriging believer).
"""

from __future__ import annotations

import time
from dataclasses import replace
from math import ceil

import numpy as np

from hwnas.search.archive import Proposed
from hwnas.search.config import SearchSettings
from hwnas.search.problem import History
from hwnas.search.run import Run
from hwnas.search.state import SearchState, exhausted, one_thread
from hwnas.search.strategies import Context, Proposal, propose, switch_due

_SHARE = 0.5  # of the initial networks that have answers before others are proposed


class AsynchronousState(SearchState):
    """The state of a run under `search.asynchronous`; a run that was killed goes on with what has no answer."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._unanswered: dict[int, Proposed] = {}
        self._settings_of: dict[tuple[int, str], SearchSettings] = {}
        self._initial, self._count, self._surrogate, k = 0, 0, "", 0
        while stored := run.archive.proposal(k):
            have = self.rows.answered(k)
            self._unanswered |= {item.number: item for item in stored if item.number not in have}
            self._initial = len(stored) if k == 0 else self._initial
            self._count, self._surrogate, k = self._count + len(stored), run.archive.proposal_info(k)[0] or "", k + 1
        self._settle()

    def pending(self) -> list[Proposed]:
        """Networks without an answer, in the order of their proposal; the initial ones are proposed now if need be."""
        if not self._count and not self.finished:
            items = super().pending()
            self._initial = self._count = len(items)
            self._unanswered = {item.number: item for item in items}
        return [self._unanswered[number] for number in sorted(self._unanswered)]

    def more(self, n: int) -> None:
        """Propose at most n networks beside those that have no answer."""
        wanted = min(n, self.run.config.search.evaluations - self._count)
        if self.ended or wanted < 1 or len(self.rows) < ceil(_SHARE * self._initial):
            return
        start, known = time.perf_counter(), self.rows.all_since(self.iteration)
        if self._unanswered and len(known.done) < 2:
            return
        if not len((proposal := self._propose(known, wanted)).genes):
            self._exhausted()
            return
        self._store(proposal, (time.perf_counter() - start) / len(proposal.genes))

    def _propose(self, known: History, n: int) -> Proposal:
        run, k = self.run, self._iteration_of(self._count)
        pending = np.array([item.genes for item in self.pending()], np.int64).reshape(-1, run.space.n_genes)
        seen = known.joined(History(pending, np.full(len(pending), np.nan)))
        rng = np.random.default_rng([run.config.seed, k, self._count])
        with one_thread():
            return propose(Context(run.problem, self._settings(n), seen, k, None, rng, None, len(pending)))

    def _settings(self, n: int) -> SearchSettings:
        """For n networks; surrogates are compared once in an iteration in which that is due."""
        search = self.run.config.search
        begun = {self._iteration_of(i) for i in range(self._count, self._count + n)}
        begun -= {self._iteration_of(self._count - 1)}
        kept = self._surrogate and not any(switch_due(search, k) for k in begun)
        asked = n, self._surrogate if kept else search.surrogate
        if asked not in self._settings_of:  # which are checked anew each time that they are made
            self._settings_of[asked] = replace(search, per_iteration=asked[0], surrogate=asked[1])
        return self._settings_of[asked]

    def _store(self, proposal: Proposal, seconds: float) -> None:
        """In the archive, iteration by iteration."""
        numbers = np.arange(self._count, self._count + len(proposal.genes))
        iterations = np.array([self._iteration_of(i) for i in numbers.tolist()])
        columns = [None] * 2 if proposal.predicted is None else list(proposal.predicted)
        for k in np.unique(iterations).tolist():
            these = iterations == k
            mean, std = (None if x is None else x[these] for x in columns)
            first = int(numbers[these][0]) - self._first_of(k)
            self.run.archive.add_proposal(k, proposal.genes[these], mean, std, proposal.surrogate, seconds, first=first)
            stored = self.run.archive.proposal(k, first)
            self._unanswered |= {item.number: item for item in stored}
        self._count, self._surrogate = self._count + len(numbers), proposal.surrogate or ""

    def _iteration_of(self, number: int) -> int:
        each = self.run.config.search.per_iteration
        return 0 if number < self._initial else 1 + (number - self._initial) // each

    def _first_of(self, k: int) -> int:
        return self._initial + (k - 1) * self.run.config.search.per_iteration if k else 0

    def _iteration(self, item: Proposed) -> int:
        return self._iteration_of(item.number)

    def _answered(self, item: Proposed) -> None:
        del self._unanswered[item.number]
        self._settle()

    def _settle(self) -> None:
        """Write the figures of all iterations that are complete."""
        while self._count and not self.finished and self._complete(self.iteration):
            self._proposed = self.run.archive.proposal(self.iteration)
            self._close()

    def _complete(self, k: int) -> bool:
        end = self._first_of(k + 1)
        return self._count >= end and not any(number < end for number in self._unanswered)

    def _exhausted(self) -> None:
        """There is no new network: the search ends when all have answers."""
        if self._unanswered:
            return
        if self.rows.answered(self.iteration):
            self._proposed = self.run.archive.proposal(self.iteration)
            self._close()
        self.ended = f"ended before iteration {self.iteration}: {exhausted(self.run, len(self.rows))}"

    def _seconds_search(self, k: int) -> float:
        return self.run.archive.proposal_seconds(k)


def state_of(run: Run) -> SearchState:
    """Where a run stands, as its configuration searches."""
    return AsynchronousState(run) if run.config.search.asynchronous else SearchState(run)
