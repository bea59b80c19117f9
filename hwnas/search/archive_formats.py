"""An archive as JSONL, CSV or Parquet: every evaluation, in order."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from hwnas.search.archive import Evaluation
from hwnas.space import SearchSpace
from hwnas.space.arch_lines import stated
from profilers.errors import BadInput, EngineUnavailable

FORMATS = ("jsonl", "csv", "parquet")


def export(rows: Sequence[Evaluation], kind: str, space: SearchSpace) -> bytes:
    """The rows of a run over `space` in one of `FORMATS`.

    In CSV and Parquet the objectives are columns and the architecture is JSON text.

    Raises:
        BadInput: another format. EngineUnavailable: Parquet without pyarrow.
    """
    if kind not in FORMATS:
        raise BadInput(f"format {kind!r}", ", ".join(FORMATS))
    if kind == "jsonl":
        return "".join(json.dumps(plain, allow_nan=False) + "\n" for plain in plain_rows(rows, space)).encode()
    part = any(row.noise for row in rows)
    flat = [_flat(row, space, part) for row in rows]
    return _csv(flat) if kind == "csv" else _parquet(flat)


def plain_rows(rows: Sequence[Evaluation], space: SearchSpace) -> list[dict[str, Any]]:
    """The rows of a run over `space` in JSON's types."""
    return [_row(row, space) for row in rows]


def _row(row: Evaluation, space: SearchSpace) -> dict[str, Any]:
    return {**row.to_json(), **stated(row.arch, space)}


def _flat(row: Evaluation, space: SearchSpace, part: bool) -> dict[str, Any]:
    """`part`: whether any row was judged on a part of the images."""
    value = _row(row, space)
    return {
        "id": value["id"],
        "iteration": value["iteration"],
        "status": value["status"],
        **value["objectives"],
        "arch": json.dumps(value["arch"]),
        "space": value["space"],
        "classes": value["classes"],
        "error": value["error"],
        "seconds": value["seconds"],
        **{name: value[name] for name in ("images", "top1_low", "top1_high")},
        **({name: value.get(name) for name in ("searched_top1", "searched_images")} if part else {}),
    }


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["id"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise EngineUnavailable("Parquet needs pyarrow", remedy="pip install pyarrow") from error
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())
