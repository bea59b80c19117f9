"""Where a job comes from: a run's archive, an architecture's file with a supernet, or a trained network's file.

`tables` predict latency, those that a user gave before those of a run; each must be of the network's space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.export.datasheet import RANDOM, Figure
from hwnas.export.item import Job, counted
from hwnas.export.run_weights import RunWeights
from hwnas.export.weights import ALLOWED, Wanted, Weights, digest, random_weights, weights_of, without_accuracy
from hwnas.ofa.network_files import Placed
from hwnas.select.guaranteed import of_run
from hwnas.space import Architecture, SearchSpace
from lut import LatencyTable
from profilers.errors import BadInput

if TYPE_CHECKING:
    from hwnas.search.archive import Evaluation
    from hwnas.search.run import Run

CHOSEN = 4  # networks of a run that are exported where none is named

_HOW = {
    "exact": "exact: counted from the layers",
    "measured-table": "predicted by a table measured on {device}",
    "fitted-table": "predicted by a table fitted to networks measured on {device}",
    "imported-table": "predicted by an imported table of {device}",
    "estimated": "estimated from the data sheet of {device}; a ranking, not milliseconds to rely on",
}


def job_of_arch(
    path: Path, space: SearchSpace, arch: Architecture, wanted: Wanted, tables: Sequence[LatencyTable] = ()
) -> Job:
    """The architecture of a file, with the weights that are wanted.

    Raises:
        BadInput: a supernet or table of another space, no weights.
    """
    return _job(space, arch, weights_of(wanted, space, arch, _lacking(path)), counted(space, arch), tables)


def job_of_net_config(path: Path, network: Placed, wanted: Wanted, tables: Sequence[LatencyTable] = ()) -> Job:
    """A published network; as `job_of_arch` where it is of a space, with random weights alone where it is of none.

    Raises:
        BadInput: a supernet or table of another space, or for a network of none; no weights.
    """
    home, arch = network.home, network.arch
    if isinstance(home, SearchSpace) and isinstance(arch, Architecture):
        return _job(home, arch, weights_of(wanted, home, arch, _lacking(path)), counted(home, arch), tables)
    if wanted.supernet is not None or tables:
        got = f"{'--supernet' if wanted.supernet else '--table'} for a network of no space"
        raise BadInput(got, "neither: nothing inherits to it or predicts it", "leave it away")
    if not wanted.random:
        raise BadInput(f"{_lacking(path)}, and is of no space that could inherit some", "--random-weights")
    found = random_weights(network.layers)
    return Job(home, arch, found.network, found.source, counted(home, arch), warnings=found.warnings)


def job_of_network(path: Path, tables: Sequence[LatencyTable] = ()) -> Job:
    """A network's own file, as `hwnas train finetune` writes it; architecture, space and data set are in it.

    Raises:
        BadInput: another kind of file, a damaged one, a data set that is not here, a table of another space.
    """
    from hwnas.data import get_dataset
    from hwnas.nets.checkpoint import load_network

    network, space, provenance = load_network(path)
    assert network.arch is not None  # the file has one
    dataset = get_dataset(provenance.dataset).with_channels(space.in_channels)
    source = f"trained on {dataset.name} ({path.name}, SHA-256 {digest(path)[:16]})"
    return _job(space, network.arch, Weights(network, source, dataset), counted(space, network.arch), tables)


def _lacking(path: Path) -> str:
    return f"{path} is a network without weights"


def jobs_of_run(
    folder: Path, ids: Sequence[str] | None = None, wanted: Wanted | None = None, tables: Sequence[LatencyTable] = ()
) -> dict[str, Job]:
    """Networks of a run by id; those that `hwnas select` offers first where none is named.

    Raises:
        BadInput: an id that the run has not, or whose evaluation failed; no weights.
    """
    with RunSource(folder, ids, wanted=wanted, tables=tables) as source:
        return {key: source.job(key) for key in source.ids}


class RunSource:
    """Networks of a run, one job at a time: a whole front's weights need not be in memory together.

    Args:
        folder: the run's.
        ids: which; None for those that `hwnas select` offers first.
        front: all networks of the front, in the archive's order, instead.
        wanted: weights; by default those of the run.
        tables: more than those of the run.
        optimistic: choose by the middle of a latency's interval, and measure nothing.

    `notes` are what is to be said of the choice.

    Raises:
        BadInput: an id that the run has not, or whose evaluation failed; a table of another space; no network that
            surely keeps the run's budgets.
    """

    def __init__(
        self, folder: Path, ids: Sequence[str] | None = None, *, front: bool = False, wanted: Wanted | None = None,
        tables: Sequence[LatencyTable] = (), optimistic: bool = False,
    ) -> None:  # fmt: skip
        from hwnas import accuracy
        from hwnas.search.run import open_run

        self.run, self.wanted = open_run(folder), wanted or Wanted()
        self.kind, _ = accuracy.split(self.run.config.accuracy)
        if self.wanted.supernet and not self.wanted.dataset:
            self.wanted = replace(self.wanted, dataset=self._dataset())
        self.own = RunWeights(self.run) if self.kind == "supernet" and self.wanted == Wanted() else None
        self.given = tables
        self.tables = self.run.tables
        chosen, self.notes = _chosen(self.run, ids, front, optimistic)
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

    def job(self, key: str) -> Job:
        """The network of that id, with its weights."""
        row, space = self.rows[key], self.run.space
        found = self.own.of(row) if self.own else weights_of(self.wanted, space, row.arch, self._lacking)
        objectives = _objectives(self.run, row, self.tables)
        return _job(space, row.arch, found, objectives, [*self.given, *self.tables.values()])

    def _dataset(self) -> str | None:
        """The data set that the run evaluated with, where another supernet's network needs one."""
        named = self.run.config.evaluate.get("dataset")
        return str(named) if named and self.wanted.recalibrate and not self.wanted.images else None

    @property
    def _lacking(self) -> str:
        return f"{self.run.folder} has no weights, for its accuracies are those of {self.kind}"


def _chosen(run: Run, ids: Sequence[str] | None, front: bool, optimistic: bool) -> tuple[list[Evaluation], list[str]]:
    """Networks, in the order of their choice, or a front's in the archive's; and what is to be said of it."""
    rows = {e.arch.id: e for e in run.archive.evaluations() if e.error is None}
    if ids:
        if missing := [i for i in ids if i not in rows]:
            raise BadInput(f"{missing[0]} is not an evaluated network of {run.folder}", "an id of `hwnas archive`")
        return [rows[i] for i in ids], []
    found = of_run(run, n=max(len(rows), 1) if front else CHOSEN, optimistic=optimistic)
    chosen = [choice.evaluation for choice in found.choices]
    return sorted(chosen, key=lambda row: row.number) if front else chosen, found.notes


def _how_accurate(run: Run, row: Evaluation) -> str:
    """How a network's top-1 came about, over how many images, and what is to be known of it."""
    objective = run.problem.objectives["top1"]
    images = f" on {row.images} images, 95 % Wilson interval" if row.images else ""
    note = f"; {objective.note}" if objective.note else ""
    return f"{objective.status} by {run.config.accuracy.partition(':')[0]}{images}{note}"


def _objectives(run: Run, row: Evaluation, tables: dict[str, LatencyTable]) -> dict[str, Figure]:
    genes = run.space.encode([row.arch])
    found = {}
    for name, objective in run.problem.objectives.items():
        value = row.objectives[name]
        if name == "top1":
            found[name] = Figure(value, "%", _how_accurate(run, row), *(row.top1_interval or ()))
        elif objective.status == "exact":
            found[name] = Figure(value, objective.unit, _HOW["exact"])
        else:
            estimate = tables[name].bind(run.space).predict(genes)
            how = _HOW[objective.status].format(device=tables[name].device)
            how += f"; {objective.note}" if objective.note else ""
            low, high = (None, None) if objective.status == "estimated" else (estimate.low[0], estimate.high[0])
            found[name] = Figure(value, objective.unit, how, low and float(low), high and float(high))
    return found


def _job(
    space: SearchSpace, arch: Architecture, weights: Weights, objectives: dict[str, Figure],
    tables: Sequence[LatencyTable],
) -> Job:  # fmt: skip
    for table in tables:
        table.bind(space)  # one of another space is refused although it may predict another engine
    if RANDOM in weights.warnings:
        objectives = without_accuracy(objectives)
    known = {**objectives, **counted(space, arch)}
    return Job(space, arch, weights.network, weights.source, known, tables, weights.dataset, weights.warnings,
               weights.input)  # fmt: skip
