"""A run's folder as the report's data. What is read is checked, so that a damaged file is one clear line.

RUN/run.toml, archive.sqlite, tables/   the search
RUN/engines/**/datasheet.json           what was exported
RUN/compare/NAME/                       runs of the same problem: random search, or this one with other seeds
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hwnas import accuracy
from hwnas.export import datasheet, elsewhere
from hwnas.report import known
from hwnas.report.data import CurvePoint, Engine, Iteration, ObjectiveInfo, RunData
from hwnas.report.thinning import thinned
from hwnas.search.finals import offered, remark
from hwnas.search.run import ARCHIVE, CONFIG, Run, open_run
from lut import LatencyTable
from profilers.errors import BadInput
from profilers.files import read_text

ENGINES, COMPARE = "engines", "compare"
_TOP1 = {
    "supernet": "evaluated: the supernet's weights on validation images",
    "ofa-predictor": "predicted: once-for-all's published accuracy predictor",
    "table": "imported: a table of known accuracies",
    "python": "evaluated: the function given",
    "given": "evaluated: the object given",
}


def load_run(
    folder: Path, *, seen_from: Path | None = None, compare: Sequence[Path] = (), archive: Path | None = None
) -> RunData:
    """Everything known of a run.

    Args:
        folder: the run's.
        seen_from: the folder in which the report will lie, for its links; the run's by default.
        compare: further runs to compare with, beside those in the folder.
        archive: a copy of the run's archive, to be read in its place.

    Raises:
        FileProblem, BadInput: no run, a damaged file, an altered engine, or a run to compare with of another problem.
    """
    with open_run(folder, archive=archive) as run:
        config = run.config
        shown = [*run.problem.names, *([config.scalarise.objective] if config.scalarise else [])]
        random, repeats = _compared(run, folder, compare)
        tables = {name: table for name, table in run.tables.items() if name in run.problem.objectives}
        limited = [name for name in config.budget if name not in shown]
        engines = list(_engines(folder, seen_from or folder))
        rows, left_out = thinned(run, offered(run.archive.evaluations()), _networks(run, engines))
        return RunData(
            folder.resolve().name,
            run.space,
            [_objective(run, name, tables.get(name)) for name in shown],
            rows,
            _iterations(run),
            engines,
            tables,
            random,
            repeats,
            config.budget,
            read_text(folder / CONFIG),
            [_objective(run, name, tables.get(name)) for name in limited],
            known.read(folder),
            str(folder),
            left_out,
            known.read_elsewhere(folder),
        )


def _networks(run: Run, engines: Sequence[Engine]) -> set[str]:
    """The ids of the networks that were exported."""
    return {run.space.parse(engine.sheet["architecture"]).id for engine in engines}


def _engines(folder: Path, seen_from: Path) -> Iterator[Engine]:
    for path in sorted((folder / ENGINES).rglob(datasheet.FILE)):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):  # one that is being written
            link = os.path.relpath(path.parent.resolve(), seen_from.resolve())
            sheet = datasheet.read(path.parent)
            if sheet["model"] is None:  # else it is no network of the run
                yield Engine(sheet, Path(link).as_posix(), str(path.parent))
    for sheet, place in elsewhere.noted(folder):
        if sheet["model"] is None:
            yield Engine(sheet, None, place)


def _objective(run: Run, name: str, table: LatencyTable | None) -> ObjectiveInfo:
    objective = run.problem.objectives[name]
    if table is not None:
        how = _how(table) + (f"; {objective.note}" if objective.note else "")
    elif name == "top1":
        kind, rest = accuracy.split(run.config.accuracy)
        how = ", ".join(x for x in (_TOP1.get(kind, f"evaluated: {kind}"), Path(rest).name) if x)
        notes = (objective.note, remark(run.archive.evaluations()) if run.config.subset else "")
        how = "; ".join([how, *(note for note in notes if note)])
    else:
        how = run.how(name)
    return ObjectiveInfo(name, objective.unit, objective.minimise, how, objective.kind)


def _how(table: LatencyTable) -> str:
    word = "predicted" if table.status == "measured" else table.status
    made = f"{table.method} table of {table.device}, batch {table.options.batch}, {table.options.precision}"
    return f"{word}: {made}; interval: {table.interval_source}"


def _iterations(run: Run) -> list[Iteration]:
    names = {f.name for f in fields(Iteration)} - {"seconds"}
    found = []
    for row in run.archive.iterations():
        seconds = row.get("seconds_search", 0.0) + row.get("seconds_evaluate", 0.0)
        found.append(Iteration(**{k: v for k, v in row.items() if k in names}, seconds=seconds))
    return found


def _meaning(run: Run) -> list[Any]:
    """What the rows of two runs must have in common to be compared."""
    meta = run.archive.meta
    return [meta.get(name) for name in ("space", "objectives", "searched")]


def _compared(run: Run, folder: Path, more: Sequence[Path]) -> tuple[list[CurvePoint], list[CurvePoint]]:
    """Curves of random search, and of the same search with other seeds; other strategies are not drawn."""
    found: dict[str, list[CurvePoint]] = {}
    for path in [*sorted(p.parent for p in (folder / COMPARE).glob(f"*/{ARCHIVE}")), *more]:
        with open_run(path) as other:
            if _meaning(other) != _meaning(run) or other.config.budget != run.config.budget:
                raise BadInput(f"{path} is a search of another problem", "the same space, objectives and budgets")
            if path in more and (kind := other.config.search.strategy) not in ("random", run.config.search.strategy):
                got = f"--compare {path}, a search by {kind}, which is not drawn"
                raise BadInput(got, f"random, or {run.config.search.strategy} as this run, with another seed")
            steps = [(s.evaluations, s.hypervolume) for s in _iterations(other)]
            points = [CurvePoint(n, volume) for n, volume in steps if volume is not None]
            found.setdefault(other.config.search.strategy, []).extend(points)
    repeats = found.get(run.config.search.strategy, [])
    return ([] if run.config.search.strategy == "random" else found.get("random", [])), repeats
