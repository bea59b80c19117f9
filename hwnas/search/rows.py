"""A run's evaluations while it is searched: read once, when they are needed, then appended to."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from hwnas.search.archive import Evaluation, history
from hwnas.search.front import may_be_chosen
from hwnas.search.kept_weights import drop_weights, kept_ids
from hwnas.search.problem import History
from hwnas.search.run import Run


class Rows:
    """Commits rows and finds them again. Weights of networks that nobody will choose go at once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._before: dict[int, History] = {}  # of the last iterations that were asked for
        self.drop_weights()

    @cached_property
    def _by_id(self) -> dict[str, Evaluation]:
        return {row.arch.id: row for row in self.run.archive.evaluations()}

    @cached_property
    def _of(self) -> dict[int, dict[int, Evaluation]]:
        """By iteration, then by number."""
        found: dict[int, dict[int, Evaluation]] = defaultdict(dict)
        for row in self._by_id.values():
            found[row.iteration][row.number] = row
        return found

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, row: Evaluation) -> None:
        """Commit a row."""
        of, by_id = self._of[row.iteration], self._by_id
        self.run.archive.add_evaluation(row)
        of[row.number] = by_id[row.arch.id] = row
        self.drop_weights()

    def sorted(self) -> list[Evaluation]:
        """All, in the order of the run."""
        return [row for k in sorted(self._of) for row in self.of(k)]

    def of(self, iteration: int) -> list[Evaluation]:
        """Those of one iteration, in the order of the run."""
        return [row for _, row in sorted(self._of[iteration].items())]

    def answered(self, iteration: int) -> set[int]:
        """The numbers of an iteration's rows."""
        return set(self._of[iteration])

    def before(self, iteration: int) -> History:
        """What the rows of the iterations before say, in the order of the run; these must be complete."""
        if iteration not in self._before:
            self._before = {iteration: self._joined(iteration)}
        return self._before[iteration]

    def _joined(self, iteration: int) -> History:
        """The history of the last iteration that was asked for with the rows since."""
        start = max((k for k in self._before if k <= iteration), default=0)
        old = self._before.get(start, history([], self.run.space.n_genes))
        new = history([row for k in range(start, iteration) for row in self.of(k)], self.run.space.n_genes)
        return old.joined(new)

    def all(self) -> History:
        """What all rows say, in the order of the run."""
        return history(self.sorted(), self.run.space.n_genes)

    def all_since(self, iteration: int) -> History:
        """As `all`, where the iterations before are complete."""
        later = [row for k in sorted(self._of) if k >= iteration for row in self.of(k)]
        return self.before(iteration).joined(history(later, self.run.space.n_genes))

    def with_id(self, key: str) -> Evaluation | None:
        """The row of the network of that id."""
        return self._by_id.get(key)

    def largest_top1(self) -> float:
        """The best accuracy so far, in percent; 0 without any."""
        return max((row.objectives["top1"] or 0.0 for row in self._by_id.values()), default=0.0)

    def best_within(self) -> float:
        """The best accuracy within the budgets, in percent; NaN without any."""
        done = self.run.problem.normalised(self.all())[0]
        return float(done.top1.max()) if len(done) else float("nan")

    def drop_weights(self) -> None:
        """Remove the weights of evaluated networks that nobody will choose."""
        kept = kept_ids(self.run.folder)
        if not kept:
            return
        wanted = {row.arch.id for row in may_be_chosen(self.run.problem, self.sorted(), self.run.tables)}
        drop_weights(self.run.folder, kept & self._by_id.keys() - wanted)
