"""A run's folder: its evaluations, its front, what is chosen of it, its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from hwnas.api.display import Printable, facts, shown, table
from hwnas.api.frames import frame
from hwnas.api.network import Network
from hwnas.api.networks import Networks
from hwnas.api.where import Where, host_of
from hwnas.search import run as runs
from hwnas.search.archive import OK, Evaluation
from hwnas.search.archive_formats import export as archive_bytes
from hwnas.search.archive_formats import plain_rows
from hwnas.search.config import Config
from hwnas.search.finals import remark
from hwnas.search.front import front
from hwnas.search.giving_up import failures, left_out
from hwnas.search.objectives import Objective
from hwnas.search.units import scaled
from hwnas.select.guaranteed import Selection, select_from_run
from hwnas.select.insights import Insight
from hwnas.select.insights import insights as find_insights
from hwnas.select.parse import parse_budget, parse_preference
from hwnas.space import SearchSpace
from profilers.files import check_writable

if TYPE_CHECKING:
    import pandas

    from hwnas.api.comparing import Compared
    from hwnas.api.engines import Exported


class Run(Printable):
    """A search's folder, whoever made it and wherever it lies now.

    Args:
        folder: of the run; nothing in it is changed by opening it.

    Raises:
        FileProblem: there is no run. BadInput: it is damaged.

    Example:
        >>> import hwnas
        >>> run = hwnas.search("tiny", lambda arch: 90.0 + arch["r"] / 10, objectives=["top1", "params"],
        ...                    initial=8, iterations=1, per_iteration=2, out="runs/doc")
        >>> len(run.networks), run.select("params<=1M", n=1)[0].params < 1e6
        (10, True)
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.ended_early = ""
        with runs.open_run(self.folder) as run:
            self.config: Config = run.config
            self.objectives: Mapping[str, Objective] = run.problem.objectives
            self.space: SearchSpace = run.space

    @property
    def evaluations(self) -> list[Evaluation]:
        """Every evaluation, failed ones too, in order."""
        with runs.open_run(self.folder) as run:
            return run.archive.evaluations()

    @property
    def networks(self) -> Networks:
        """Every network that was evaluated, in order; after a search on a part of the images, those judged on all."""
        done = [self._network(row) for row in self.evaluations if row.status == OK]
        return Networks(done, title=f"Evaluated networks of {self.folder}")

    def front(self) -> Networks:
        """The networks that no other one dominates, within the run's own budget."""
        with runs.open_run(self.folder) as run:
            rows = front(run.problem, run.archive.evaluations())
        return Networks([self._network(row) for row in rows], title=f"Front of {self.folder}")

    def select(
        self,
        *budget: str,
        n: int = 4,
        prefer: str | None = None,
        knee: bool = False,
        optimistic: bool = False,
        device: Where = "",
    ) -> Chosen:
        """Choose at most `n` networks of the front within budgets.

        The upper end of a network's latency interval must be within the budget. One whose interval contains the budget
        is measured first if this, or `device`, is the device of the table.

        Args:
            budget: as in "cpu_ms<=10", "top1>=76", "madds<=300M".
            n: how many.
            prefer: wished values, as in "top1=80,madds=150".
            knee: the best in the sum of all normalised objectives.
            optimistic: judge by the point prediction, and measure nothing.
            device: where networks are measured, a `Device` or as in "ssh://me@board"; by default this machine.

        Raises:
            BadInput: a budget that cannot be read, or that no network is guaranteed to keep.
            DeviceUnreachable: a device that had to be asked.
        """
        with runs.open_run(self.folder) as run:
            objectives = run.problem.objectives
            limits = dict(parse_budget(text, objectives) for text in budget)
            wish = parse_preference(prefer, objectives) if prefer else None
            found = select_from_run(
                run, budget=limits, prefer=wish, knee=knee, n=n, optimistic=optimistic, host=host_of(device)
            )
            rows = [found.to_json(choice, run.problem) for choice in found.choices]
        networks = [self._network(choice.evaluation, choice.why) for choice in found.choices]
        return Chosen(networks, found, rows, objectives)

    def insights(self) -> list[Insight]:
        """How often each choice of a layer, depth and resolution occurs on the run's fronts."""
        with runs.open_run(self.folder) as run:
            return find_insights(run.problem, run.archive.evaluations())

    def to_frame(self) -> pandas.DataFrame:
        """A row an evaluation; EngineUnavailable without pandas."""
        return frame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Every evaluation in plain values: id, iteration, status, arch, objectives, and more."""
        return plain_rows(self.evaluations, self.space)

    def archive(self, format: str = "jsonl") -> bytes:
        """Every evaluation as jsonl, csv or parquet; BadInput for another format."""
        return archive_bytes(self.evaluations, format, self.space)

    def report(
        self, out: Path | str | None = None, *, compare: Sequence[Path | str] = (), others: Sequence[Path | str] = ()
    ) -> Path:
        """Write the run as one HTML file, by default `report.html` in it (`runs.html` with others).

        Args:
            out: the file.
            compare: runs to draw beside it: random search, or other seeds.
            others: runs that get a part of the page each: seeds, devices, before and after.
        """
        from hwnas.report import load_run, write_report

        path = self.folder / ("runs.html" if others else "report.html") if out is None else Path(out)
        check_writable(path, "--out FILE")
        first = load_run(self.folder, seen_from=path.parent, compare=[Path(x) for x in compare])
        write_report([first, *(load_run(Path(x), seen_from=path.parent) for x in others)], path)
        return path

    def export(self, engine: str | None = None, out: Path | str = "engines", **options: Any) -> Exported:
        """Export networks of the run, as `hwnas.export`; by default those that `select` offers."""
        from hwnas.api.exporting import export

        return export(self.folder, out, engine=engine, **options)

    def compare(self, models: Sequence[str] = (), **options: Any) -> Compared:
        """Measure the chosen networks beside known ones on a device, as `hwnas.compare`."""
        from hwnas.api.comparing import compare

        return compare(self.folder, models, **options)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """What the search came to: evaluations, failures, hypervolume, front, seconds."""
        with runs.open_run(self.folder) as run:
            return figures_of(run, run.archive.evaluations(), run.archive.iterations())

    def table(self) -> Table:
        """See `Printable`."""
        rows = [(name, shown(value)) for name, value in self.figures.items() if name != "run"]
        return facts(f"Run {self.folder}", rows)

    @property
    def remarks(self) -> Sequence[str]:
        """See `Printable`."""
        part = remark(self.evaluations) if self.config.subset else ""
        return [*(line for line in (self.ended_early, part) if line), *self._failures]

    @cached_property
    def _failures(self) -> list[str]:
        with runs.open_run(self.folder) as run:
            steps = run.archive.iterations()
        return [*failures([row.error for row in self.evaluations]), *left_out(steps)]

    def _network(self, row: Evaluation, why: str = "") -> Network:
        return Network.of(self.space, row.arch, row.objectives, why=why, run=self.folder)


def figures_of(run: runs.Run, rows: Sequence[Evaluation], steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`Run.figures` of an open run with these evaluations and figures of its iterations."""
    last: Mapping[str, Any] = steps[-1] if steps else {"failed": 0, "hypervolume": None}
    return {
        "run": str(run.folder),
        "evaluations": len(rows),
        "failed": int(last["failed"]),  # a real number in the archive
        "hypervolume": last["hypervolume"],
        "front": len(front(run.problem, rows)),
        "top1": run.problem.objectives["top1"].obtained,
        "seconds_search": round(sum(s["seconds_search"] for s in steps), 2),
        "seconds_evaluate": round(sum(s["seconds_evaluate"] for s in steps), 2),
    }


class Chosen(Networks):
    """Networks that were chosen from a run; `rows` is what `hwnas select` prints of each."""

    def __init__(
        self,
        networks: Sequence[Network],
        selection: Selection,
        rows: Sequence[dict[str, Any]],
        objectives: Mapping[str, Objective],
    ) -> None:
        super().__init__(networks, title="Chosen networks", notes=selection.notes)
        self.rows, self._selection, self._objectives = list(rows), selection, objectives

    def table(self) -> Table:
        """See `Printable`; ~ marks what is not significantly worse than the best."""
        found, objectives = self._selection, self._objectives
        caption = ", ".join(f"{o.name}: {o.obtained}" for o in objectives.values())
        if any(found.as_good(c.evaluation) and c.evaluation is not found.best for c in found.choices):
            caption += "; ~ not significantly worse than the best (95 %, by the number of images)"
        measured = [f"{name} measured" for name, by_id in found.measured.items() if by_id]
        scales = {name: _scale(found, o) for name, o in objectives.items()}
        headings = (_heading(name, unit) for name, (unit, _) in scales.items())
        made = table(self._title, ("id", "why", *headings, *measured), caption)
        for choice in found.choices:
            key, row = choice.evaluation.arch.id, choice.evaluation
            here = [by_id.get(key) for by_id in found.measured.values() if by_id]
            values = (_value(found, row, name, divisor) for name, (_, divisor) in scales.items())
            texts = ("-" if m is None else f"{m.ms:.4g} ({m.low:.4g} to {m.high:.4g})" for m in here)
            made.add_row(key, choice.why, *values, *texts)
        for column in made.columns:
            column.no_wrap = column.header != "why"  # words are broken before numbers are
        return made


def _scale(found: Selection, objective: Objective) -> tuple[str, float]:
    """The unit in which the chosen networks' values are shown, and what they are divided by; counts are in full."""
    values = [abs(choice.evaluation.objectives[objective.name] or 0.0) for choice in found.choices]
    return scaled(objective.unit, max(values, default=0.0)) if objective.unit else ("", 1.0)


def _heading(name: str, unit: str) -> str:
    return name if name.endswith(f"_{unit.lower()}") else f"{name} {unit}".strip()


def _value(found: Selection, row: Evaluation, name: str, divisor: float) -> str:
    value = float(row.objectives[name] or 0.0) / divisor
    if name != "top1":
        return f"{value:,.0f}" if value > 1e4 or value == round(value) else f"{value:.3f}"
    ends = f" ({row.top1_interval[0]:.1f} to {row.top1_interval[1]:.1f})" if row.top1_interval else ""
    return f"{value:.2f}{ends}{' ~' if found.as_good(row) and row is not found.best else ''}"
