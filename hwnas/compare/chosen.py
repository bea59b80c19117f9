"""The networks of a run that stand beside known ones."""

from __future__ import annotations

from hwnas.compare.measure import Row, of_search
from hwnas.export.item import predicts
from hwnas.export.run_source import RunSource
from profilers.base import Options


def chosen_networks(source: RunSource, engine: str, options: Options) -> list[tuple[Row, bytes]]:
    """Rows and ONNX models; with a prediction where a table of the run was made for this engine and setting."""
    space, rows = source.run.space, list(source.rows.values())
    predicted: list[float | None] = [None] * len(rows)
    for table in source.tables.values():
        if predicts(table, engine, options):
            predicted = table.bind(space).predict(space.encode([row.arch for row in rows])).ms.tolist()
    top1 = source.run.problem.objectives["top1"]
    return [of_search(space, row, ms, options.batch, top1) for row, ms in zip(rows, predicted, strict=True)]
