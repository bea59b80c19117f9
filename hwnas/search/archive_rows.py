"""The rows of an archive as the file holds them: what each column may be, and the checksum that a row carries.

`checksum` is the first 16 hexadecimal digits of the SHA-256 of a JSON list: the table's name and the row's other
values in the order of its columns. It shows damage and slips; whoever wants to can make it fit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from annotated_types import Interval, MaxLen, MinLen

from hwnas.search.archive_tables import CURE
from hwnas.search.evaluation import FAILED, OK, SUBSET, Evaluation
from hwnas.space import Architecture, SearchSpace
from profilers.constraints import Count, Name, NotNegative, OneOf, Pattern
from profilers.errors import BadInput, listed, shown
from profilers.fault_lines import Style
from profilers.files import parse_json, sha256

Row = TypeVar("Row")
LONGEST_ERROR = 10_000  # characters that are kept
Index = Annotated[int, Interval(ge=0, le=10**12)]
Gene = Annotated[int, Interval(ge=0, le=255)]
Choices = Annotated[list[int | str], MaxLen(10_000)]
_JSON = {
    "proposals": ("genes",),
    "evaluations": ("arch", "genes", "objectives"),
    "iterations": ("figures",),
    "finals": (),
}


@dataclass(frozen=True)
class ProposalRow:
    """A network that an iteration proposes."""

    iteration: Index
    position: Index
    genes: Annotated[tuple[Gene, ...], MinLen(1), MaxLen(10_000)]
    predicted: float | None
    std: NotNegative | None
    surrogate: Annotated[str, MaxLen(1000)] | None
    seconds: NotNegative


@dataclass(frozen=True)
class EvaluationRow:
    """A network that was evaluated, or why it could not be."""

    number: Index
    iteration: Index
    id: Annotated[str, Pattern("[0-9a-f]{10}", "ten hexadecimal digits")]
    status: Annotated[str, OneOf((OK, FAILED, SUBSET))]
    arch: dict[str, int | Choices]
    genes: Annotated[tuple[Gene, ...], MinLen(1), MaxLen(10_000)]
    objectives: dict[Name, float | None]
    error: str | None
    seconds: NotNegative
    images: Count | None = None

    def __post_init__(self) -> None:
        """A row has all values, or says why it has no accuracy."""
        top1, values = self.objectives.get("top1"), self.objectives.values()
        whole = not self.error and None not in values if self.status != FAILED else bool(self.error) and top1 is None
        if "top1" not in self.objectives or not whole:
            got = f"evaluation {self.number} is {self.status}, its objectives {shown(self.objectives)}"
            raise BadInput(got, "a value of each, or top1 = null and an error", CURE)


@dataclass(frozen=True)
class FinalRow:
    """What came out on all images for the evaluation of that number, which the search judged on a part of them."""

    number: Index
    top1: float | None
    error: str | None
    seconds: NotNegative
    images: Count | None

    def __post_init__(self) -> None:
        """A value, or why there is none."""
        if (self.top1 is None) != bool(self.error):
            raise BadInput(f"the final evaluation {self.number} has top1 {self.top1}", "top1 or an error", CURE)


@dataclass(frozen=True)
class IterationRow:
    """A finished iteration and its figures, of which those that are read by name are what they are read as."""

    iteration: Index
    figures: dict[Name, Annotated[str, MaxLen(1000)] | int | float | bool | None]

    def __post_init__(self) -> None:
        """Nothing that was counted or timed is lacking."""
        for name, value in {**dict.fromkeys(COUNTED), **self.figures}.items():
            if not _fits(name, value):
                raise BadInput(f"iteration {self.iteration}: {name} = {shown(value)}", "a number", CURE)


def _fits(name: str, value: Any) -> bool:
    """Whether a figure is what its name says."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in COUNTED:
        return number and value >= 0
    if name in QUALITY:
        return number or value is None
    if name == "left_out":
        return number and value >= 0
    return name not in ("surrogate", "left_out_for") or isinstance(value, str | None)


COUNTED = ("evaluations", "failed", "hypervolume", "seconds_search", "seconds_evaluate")
QUALITY = ("dominated", "rmse", "spearman", "kendall", "optimism", "seconds")


def sealed(table: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """A row as it is written: its values, then their checksum."""
    return (*values, checksum(table, values))


def checksum(table: str, values: Sequence[Any]) -> str:
    """See above."""
    return sha256(json.dumps([table, *values], default=repr).encode("utf-8", "surrogateescape"))[:16]


def unsealed(path: Path, table: str, rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """The rows without their checksums; BadInput at one that is another than was written."""
    for *values, stated in rows:
        if stated != checksum(table, values):
            raise BadInput(
                f"{path}: a row of {table} ({values[0]!a:.30}) was changed after it was written", remedy=CURE
            )
        yield values


def checked(kind: type[Row], path: Path, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Row]:
    """Rows with columns of these names as instances of `kind`; BadInput where one is not."""
    from profilers.validation import validate

    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        for name in _JSON[table]:
            row[name] = parse_json(row[name], f"{path}: {name} of row {row[names[0]]!a:.30} of {table}")
    whole: Any = list[kind]  # type: ignore[valid-type]
    made: list[Row] = validate(whole, found, f"{path}: {table}", Style(remedy=CURE))
    return made


def of_evaluation(e: Evaluation) -> tuple[Any, ...]:
    """The columns of an evaluation."""
    error = text_of(e.error)
    arch, objectives = json.dumps(e.arch.to_json()), json.dumps(dict(e.objectives), allow_nan=False)
    genes, images = json.dumps(e.genes), e.images
    return (e.number, e.iteration, e.arch.id, e.status, arch, genes, objectives, error, float(e.seconds), images)


def text_of(error: str | None) -> str | None:
    """Of a long error the beginning, without what no text in a file can hold."""
    return error and error[:LONGEST_ERROR].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def with_finals(path: Path, rows: Sequence[Evaluation], finals: Sequence[FinalRow]) -> list[Evaluation]:
    """The evaluations, those that were judged on all images with what came out; BadInput where these do not fit."""
    whole = {row.number: row for row in finals}
    if strange := whole.keys() - {row.number for row in rows if row.status == SUBSET}:
        got = f"{path} is damaged: the final evaluation {min(strange)} is of no network judged on a part"
        raise BadInput(got, remedy=CURE)
    done = [(row, whole.get(row.number)) for row in rows]
    return [row.judged(f.top1, f.error, f.seconds, f.images) if f else row for row, f in done]


def evaluations(
    path: Path, rows: Sequence[EvaluationRow], space: SearchSpace | None, names: Collection[str]
) -> list[Evaluation]:
    """What the rows say, each of a network of the space (of any, if None) and with objectives of these names."""
    check_genes(path, [row.genes for row in rows], space)
    if space is None:
        archs = [_architecture(path, row) for row in rows]
    else:
        archs = space.decode(np.array([row.genes for row in rows], np.int64).reshape(-1, space.n_genes))
    for row, arch in zip(rows, archs, strict=True):
        if row.arch != arch.to_json():
            raise BadInput(f"{path}: the network of evaluation {row.number} is not that of its genes", remedy=CURE)
        if lacking := set(names) - row.objectives.keys():
            raise BadInput(f"{path}: evaluation {row.number} has no {listed(sorted(lacking))}", remedy=CURE)
    return [_evaluation(row, arch) for row, arch in zip(rows, archs, strict=True)]


def check_genes(path: Path, genes: Sequence[tuple[int, ...]], space: SearchSpace | None) -> None:
    """BadInput unless all are canonical genes of the space, if one is given."""
    if space is None or not genes:
        return
    if {len(row) for row in genes} == {space.n_genes}:
        found = np.array(genes, np.int64)
        within = bool((found >= space.lower).all() and (found <= space.upper).all())
        if within and (found == space.canonical(found)).all():
            return
    raise BadInput(f"{path} holds genes that are of no network of space {space.name}", remedy=CURE)


def _architecture(path: Path, row: EvaluationRow) -> Architecture:
    try:
        return Architecture.from_json(row.arch)
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: evaluation {row.number} is of no network", remedy=CURE) from error


def _evaluation(row: EvaluationRow, arch: Architecture) -> Evaluation:
    where = (row.number, row.iteration, row.status)
    return Evaluation(*where, arch, row.genes, row.objectives, row.error, row.seconds, row.images)
