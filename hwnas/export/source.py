"""Where a job comes from: a run's archive, an architecture's file with a supernet, or a trained network's file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import lut
from hwnas.export.datasheet import Figure
from hwnas.export.job import Job, counted
from hwnas.networks import Placed
from hwnas.space import Architecture, SearchSpace
from lut import LatencyTable
from profilers.errors import BadInput
from profilers.files import read_bytes, read_json, sha256

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


def job_of_arch(path: Path, space: SearchSpace, supernet: Path | None, tables: Sequence[Path]) -> Job:
    """One architecture's JSON file, with weights inherited from `supernet`, or random ones.

    Raises:
        BadInput: a malformed architecture or one outside the space, a supernet or table of another space.
    """
    value = read_json(path)
    arch = space.parse(value["arch"] if isinstance(value, dict) and "arch" in value else value)
    loaded = [lut.load(table) for table in tables]
    return _job(space, arch, supernet, loaded, counted(space, arch))


def job_of_net_config(network: Placed, supernet: Path | None, tables: Sequence[Path]) -> Job:
    """A published network; as `job_of_arch` where it is of a space, with random weights where it is of none.

    Raises:
        BadInput: a supernet or table of another space, or for a network of none.
    """
    from hwnas.nets import Network

    home, arch = network.home, network.arch
    if isinstance(home, SearchSpace) and isinstance(arch, Architecture):
        return _job(home, arch, supernet, [lut.load(table) for table in tables], counted(home, arch))
    if supernet is not None or tables:
        got = f"{'--supernet' if supernet else '--table'} for a network of no space"
        raise BadInput(got, "neither: nothing inherits to it or predicts it", "leave it away")
    return Job(home, arch, Network(network.layers), "random", counted(home, arch))


def job_of_network(path: Path, tables: Sequence[Path]) -> Job:
    """A network's own file, as `hwnas train finetune` writes it; architecture, space and data set are in it.

    Raises:
        BadInput: another kind of file, a damaged one, a data set that is not here, a table of another space.
    """
    from hwnas.data import get_dataset
    from hwnas.nets.checkpoint import load_network

    network, space, provenance = load_network(path)
    assert network.arch is not None  # the file has one
    dataset = get_dataset(provenance.dataset).with_channels(space.in_channels)
    weights = f"trained on {dataset.name} ({path.name}, SHA-256 {sha256(read_bytes(path))[:16]})"
    loaded = [lut.load(table) for table in tables]
    return Job(space, network.arch, network, weights, counted(space, network.arch), loaded, dataset)


def jobs_of_run(folder: Path, ids: Sequence[str] | None) -> dict[str, Job]:
    """Networks of a run by id; those that `hwnas select` offers first where none is named.

    Raises:
        BadInput: an id that the run has not, or whose evaluation failed.
    """
    with RunSource(folder, ids) as source:
        return {key: source.job(key) for key in source.ids}


class RunSource:
    """Networks of a run, one job at a time: a whole front's weights need not be in memory together.

    Args:
        folder: the run's.
        ids: which; None for those that `hwnas select` offers first.
        front: all networks of the front, in the archive's order, instead.

    Raises:
        BadInput: an id that the run has not, or whose evaluation failed.
    """

    def __init__(self, folder: Path, ids: Sequence[str] | None = None, *, front: bool = False) -> None:
        from hwnas import accuracy
        from hwnas.search.run import open_run

        self.run = open_run(folder)
        kind, rest = accuracy.split(self.run.config.accuracy)
        self.supernet = Path(rest) if kind == "supernet" else None
        self.tables = {name: lut.load(path) for name, path in self.run.config.tables.items()}
        self.rows = {e.arch.id: e for e in (_front(self.run) if front and not ids else _chosen(self.run, ids))}

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
        """The supernet's SHA-256, "" for random weights."""
        return sha256(read_bytes(self.supernet)) if self.supernet else ""

    def job(self, key: str) -> Job:
        """The network of that id, with its weights."""
        row, tables = self.rows[key], list(self.tables.values())
        return _job(self.run.space, row.arch, self.supernet, tables, _objectives(self.run, row, self.tables))


def _front(run: Run) -> list[Evaluation]:
    from hwnas.search.select import front

    return front(run.problem, run.archive.evaluations())


def _chosen(run: Run, ids: Sequence[str] | None) -> list[Evaluation]:
    from hwnas.search.select import select

    rows = {e.arch.id: e for e in run.archive.evaluations() if e.error is None}
    wanted = ids or [c.evaluation.arch.id for c in select(run.problem, list(rows.values()), n=CHOSEN)]
    if missing := [i for i in wanted if i not in rows]:
        raise BadInput(f"{missing[0]} is not an evaluated network of {run.folder}", "an id of `hwnas archive`")
    return [rows[i] for i in wanted]


def _objectives(run: Run, row: Evaluation, tables: dict[str, LatencyTable]) -> dict[str, Figure]:
    genes = run.space.encode([row.arch])
    found = {}
    for name, objective in run.problem.objectives.items():
        value = row.objectives[name]
        if name == "top1":
            found[name] = Figure(value, "%", f"{objective.status} by {run.config.accuracy.partition(':')[0]}")
        elif objective.status == "exact":
            found[name] = Figure(value, objective.unit, _HOW["exact"])
        else:
            estimate = tables[name].bind(run.space).predict(genes)
            how = _HOW[objective.status].format(device=tables[name].device)
            low, high = (None, None) if objective.status == "estimated" else (estimate.low[0], estimate.high[0])
            found[name] = Figure(value, objective.unit, how, low and float(low), high and float(high))
    return found


def _job(
    space: SearchSpace,
    arch: Architecture,
    supernet: Path | None,
    tables: Sequence[LatencyTable],
    objectives: dict[str, Figure],
) -> Job:
    from hwnas.nets import Network

    if supernet is None:
        return Job(space, arch, Network(space.layers(arch), arch), "random", objectives, tables)
    from hwnas.accuracy.supernet import inherit

    network, dataset = inherit(supernet, space, arch)
    calibrated = f", BatchNorm recalibrated on {dataset.name}" if dataset else ""
    weights = f"inherited from {supernet.name} (SHA-256 {sha256(read_bytes(supernet))[:16]}){calibrated}"
    return Job(space, arch, network, weights, objectives, tables, dataset)
