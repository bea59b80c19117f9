"""The networks of a run that are exported: those that are named, those that `hwnas select` offers, or the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hwnas import accuracy
from hwnas.export.exportable import FLOAT
from hwnas.export.item import ExportItem
from hwnas.export.quantity import Quantity
from hwnas.export.run_weights import RunWeights
from hwnas.export.weights import ALLOWED, Wanted, weighted_item, weights_of
from hwnas.search.archive import SUBSET, Evaluation
from hwnas.search.run import Run, open_run
from hwnas.select.guaranteed import select_from_run
from lut import LatencyTable
from profilers.errors import BadInput

CHOSEN = 4  # networks of a run that are exported where none is named

_ORIGIN = {
    "given": "an object of the program that searched",
    "ofa-predictor": "an accuracy predictor",
    "python": "a Python function",
    "table": "a table",
}
_HOW = {
    "measured-table": "predicted by a table measured on {device}",
    "fitted-table": "predicted by a table fitted to networks measured on {device}",
    "imported-table": "predicted by an imported table of {device}",
    "estimated": "estimated from the data sheet of {device}; a ranking, not milliseconds to rely on",
}


def items_of_run(
    folder: Path, ids: Sequence[str] | None = None, wanted: Wanted | None = None, tables: Sequence[LatencyTable] = ()
) -> dict[str, ExportItem]:
    """Networks of a run by id; those that `hwnas select` offers first where none is named.

    Raises:
        BadInput: an id that the run has not, or whose evaluation failed; no weights.
    """
    with RunSource(folder, ids, wanted=wanted, tables=tables) as source:
        return {key: source.item(key) for key in source.ids}


class RunSource:
    """Networks of a run, one item at a time: a whole front's weights need not be in memory together.

    Args:
        folder: the run's.
        ids: which; None for those that `hwnas select` offers first.
        front: all networks of the front, in the archive's order, instead.
        wanted: weights; by default those of the run.
        tables: more than those of the run.
        optimistic: choose by the middle of a latency's interval, and measure nothing.
        host: the device on which networks are measured whose interval contains a limit, by default this machine.

    `notes` say what a user should know of the choice, a line each.

    Raises:
        BadInput: an id that the run has not, or whose evaluation failed; a table of another space; no network that
            surely keeps the run's budgets.
    """

    def __init__(
        self,
        folder: Path,
        ids: Sequence[str] | None = None,
        *,
        front: bool = False,
        wanted: Wanted | None = None,
        tables: Sequence[LatencyTable] = (),
        optimistic: bool = False,
        host: str = "",
    ) -> None:
        self.run, self.wanted = open_run(folder), wanted or Wanted()
        self.kind, _ = accuracy.split(self.run.config.accuracy)
        if self.wanted.supernet and not self.wanted.dataset:
            self.wanted = replace(self.wanted, dataset=self._dataset())
        self.own = RunWeights(self.run) if self.kind == "supernet" and self.wanted == Wanted() else None
        self.given, self.about, self.precision = tables, "", FLOAT
        self.tables = self.run.tables
        chosen, self.notes = _chosen(self.run, ids, front, optimistic, host)
        self.rows = {row.arch.id: row for row in chosen}
        top1 = self.run.problem.objectives["top1"]
        self.notes += [f"the run's top-1 is {top1.status}: it {top1.note}"] if top1.note else []

    def __enter__(self) -> RunSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.run.archive.close()

    @property
    def ids(self) -> list[str]:
        """In the order in which they are exported."""
        return list(self.rows)

    @property
    def weights(self) -> str:
        """The supernet's SHA-256, or what stands for it; BadInput where there are none."""
        if self.own is not None:
            return self.own.digest(self.ids)
        if found := self.wanted.digest():
            return found
        raise BadInput(self._lacking, ALLOWED)

    def batch(self, usual: int) -> int:
        """See `source.Source`."""
        return usual

    def item(self, key: str) -> ExportItem:
        """The network of that id, with its weights."""
        row, space = self.rows[key], self.run.space
        found = self.own.of(row) if self.own else weights_of(self.wanted, space, row.arch, self._lacking)
        objectives = _objectives(self.run, row, self.tables)
        return weighted_item(space, row.arch, found, objectives, [*self.given, *self.tables.values()])

    def _dataset(self) -> str | None:
        """The data set that the run evaluated with, where another supernet's network needs one."""
        named = self.run.config.evaluate.get("dataset")
        return str(named) if named and self.wanted.recalibrate and not self.wanted.images else None

    @property
    def _lacking(self) -> str:
        return f"{self.run.folder} has no weights, since its accuracies come from {_ORIGIN.get(self.kind, self.kind)}"


def _chosen(
    run: Run, ids: Sequence[str] | None, front: bool, optimistic: bool, host: str
) -> tuple[list[Evaluation], list[str]]:
    """Networks, in the order of their choice, or a front's in the archive's; and what is to be said of it."""
    rows = {e.arch.id: e for e in run.archive.evaluations() if e.error is None}
    if ids:
        if part := [i for i in ids if i in rows and rows[i].status == SUBSET]:
            got = f"{part[0]} was judged on {rows[part[0]].images} images only, and is not of the final front"
            raise BadInput(got, "a network that was judged on all: hwnas archive RUN, status ok")
        if missing := [i for i in ids if i not in rows]:
            raise BadInput(f"{missing[0]} is not an evaluated network of {run.folder}", "an id of `hwnas archive`")
        return [rows[i] for i in ids], []
    found = select_from_run(run, n=max(len(rows), 1) if front else CHOSEN, optimistic=optimistic, host=host)
    chosen = [choice.evaluation for choice in found.choices]
    return sorted(chosen, key=lambda row: row.number) if front else chosen, found.notes


def _how_accurate(run: Run, row: Evaluation) -> str:
    """How a network's top-1 came about, over how many images, and what is to be known of it."""
    objective = run.problem.objectives["top1"]
    images = f" on {row.images} images, 95 % Wilson interval" if row.images else ""
    note = f"; {objective.note}" if objective.note else ""
    return f"{objective.status} by {run.config.accuracy.partition(':')[0]}{images}{note}"


def _objectives(run: Run, row: Evaluation, tables: dict[str, LatencyTable]) -> dict[str, Quantity]:
    genes = run.space.encode([row.arch])
    found = {}
    for name, objective in run.problem.objectives.items():
        value = row.objectives[name]
        if name == "top1":
            found[name] = Quantity(value, "%", _how_accurate(run, row), *(row.top1_interval or ()))
        elif name not in tables:
            found[name] = Quantity(value, objective.unit, run.how(name))
        else:
            estimate = tables[name].bind(run.space).predict(genes)
            how = _HOW[objective.status].format(device=tables[name].device)
            how += f"; {objective.note}" if objective.note else ""
            low, high = (None, None) if objective.status == "estimated" else (estimate.low[0], estimate.high[0])
            found[name] = Quantity(value, objective.unit, how, low and float(low), high and float(high))
    return found
