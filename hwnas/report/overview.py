"""Several runs side by side: seeds, devices, before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.report import figures, plots
from hwnas.report.cells import Cell, Origin, Table
from hwnas.report.data import RunData
from hwnas.report.formatting import label_of, plural, scales, significant
from hwnas.report.sections import Plot, Section
from hwnas.report.ship import ship


def section(runs: Sequence[RunData]) -> Section:
    """A row a run, and the fronts of quality and main cost in one figure where they are of one unit."""
    shown = [plot] if (plot := fronts(runs)) else []
    about = (
        "Choose a run above to see the whole of it. Hypervolumes compare only where objectives and ranges are equal."
    )
    return Section("runs", "The runs side by side", about, "runs.html", {"table": table(runs), "plots": shown}, shown)


def table(runs: Sequence[RunData]) -> Table:
    """What each came to."""
    rows = [
        [
            Cell(run.name, run.folder),
            Cell(f"{run.evaluated:,}", f"{run.failed} failed" if run.failed else ""),
            Cell(_budget(run)),
            Cell(ship(run).id or "none"),
            _best(run, run.quality),
            _best(run, run.main_cost),
            Cell(_hypervolume(run)),
        ]
        for run in runs
    ]
    head = ["Run", "Evaluated", "Budget", "To ship", "Its quality", "Its main cost", "Hypervolume"]
    return Table(head, rows, "Runs", numbers=True)


def fronts(runs: Sequence[RunData]) -> Plot | None:
    """None where the runs' objectives are not of one unit."""
    found = [run for run in runs if run.done and run.main_cost != run.quality]
    units = {(run.objectives[run.quality].name, run.objectives[run.main_cost].unit) for run in found}
    if len(found) < 2 or len(units) != 1:
        return None
    names = {run.objectives[run.main_cost].name for run in found}
    curves = []
    for run in found:
        panel = next(p for p in figures.projections(run) if p.x.objective == run.main_cost)
        divisor = scales(run)[run.main_cost].divisor
        points = [(panel.x.values[i] * divisor, panel.y.values[i]) for i in panel.pair]
        curves.append((run.name, points))
    first = found[0]
    unit = first.objectives[first.main_cost].unit
    label = label_of(first, first.objectives[first.main_cost].name) if len(names) == 1 else "Main cost"
    title = f"{label} ({unit})" if unit else label
    spec = plots.several(curves, title, scales(first)[first.quality].title, first.objectives[first.main_cost].minimise)
    return Plot("runs", spec, f"Fronts of {plural(len(found), 'run')} by {title}", tall=True)


def _budget(run: RunData) -> str:
    by_name = {o.name: s for o, s in zip(run.objectives, scales(run), strict=True)}
    sign = {True: "≤", False: "≥"}
    return (
        ", ".join(
            f"{label_of(run, name)} {sign[run.minimises(name)]} "
            + (by_name[name].text(limit) if name in by_name else significant(limit))
            for name, limit in run.budgets.items()
        )
        or "–"
    )


def _best(run: RunData, column: int) -> Cell:
    """Of the network to ship, by the search."""
    index = run.row_of(ship(run).id)
    if index is None:
        return Cell("–")
    scale = scales(run)[column]
    return Cell(scale.text(float(run.values[index, column])), scale.label, Origin(run.objectives[column].how))


def _hypervolume(run: RunData) -> str:
    values = [step.hypervolume for step in run.iterations if step.hypervolume is not None]
    return significant(float(np.float64(values[-1]))) if values else "–"
