"""Accuracy by class: how many images of each class an engine gets right, and what it takes the others for.

Classes are outputs, numbered from 0; `preprocessing.labels` of the datasheet names them. `Classes` is what the file
holds, `rows` and `sentences` what pages show of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Interval

from hwnas.export.exportable import Labels, Values
from profilers.errors import BadInput
from profilers.proportions import wilson

WHOLE = 20  # classes up to which the whole table is kept, and the most that a page lists
FREQUENT, TOLD, BESIDE = 10, 5, 3  # confusions that are kept, told in words, and shown beside a class
LETTERS = 40  # of a name

Number = Annotated[int, Interval(ge=0, le=10**9)]


@dataclass(frozen=True)
class Confusion:
    """Images of one class that the engine takes for another."""

    true: Number
    """The class that they are of."""
    predicted: Number
    """The class that they are taken for."""
    images: Number
    """How many."""


@dataclass(frozen=True)
class Classes:
    """Right answers of this engine by class, and its confusions; classes are in the order of the outputs."""

    images: list[Number]
    """Labelled images of each class."""
    right: list[Number]
    """Those of them that are classified right."""
    table: list[list[Number]]
    """Images by their class (rows) and by the class that they are taken for (columns); empty for over 20 classes."""
    confusions: list[Confusion]
    """The most frequent ones, the most images first."""

    def __post_init__(self) -> None:
        if not self._counts_fit() or not self._confusions_fit():
            raise BadInput("counts by class that contradict each other", remedy="export it again")

    def _counts_fit(self) -> bool:
        fit = len(self.images) == len(self.right) and all(a <= b for a, b in zip(self.right, self.images, strict=True))
        rows = [sum(row) for row in self.table if len(row) == len(self.images)]
        return fit and (not self.table or rows == self.images)

    def _confusions_fit(self) -> bool:
        known = len(self.images)
        return all(
            max(c.true, c.predicted) < known and c.images <= self.images[c.true] - self.right[c.true]
            for c in self.confusions
        )

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


class ClassRow(NamedTuple):
    """A class as a page shows it: top-1 in percent with its 95 % interval, and what it is most often taken for."""

    name: str
    right: int
    images: int
    top1: float
    low: float
    high: float
    taken_for: str


def count_classes(answers: Labels, labels: Values, outputs: int) -> Classes:
    """From the class that the engine gives each image, (n,), and its label, (n,), among so many outputs."""
    found = Counter(zip(labels.tolist(), answers.tolist(), strict=True))
    wrong = [(true, predicted) for true, predicted in found if true != predicted]
    often = sorted(wrong, key=lambda pair: (-found[pair], pair))[:FREQUENT]
    return Classes(
        np.bincount(labels, minlength=outputs).tolist(),
        np.bincount(labels[answers == labels], minlength=outputs).tolist(),
        [[found[i, j] for j in range(outputs)] for i in range(outputs)] if outputs <= WHOLE else [],
        [Confusion(*pair, found[pair]) for pair in often],
    )


def rows(sheet: Mapping[str, Any]) -> list[ClassRow]:
    """The classes of a datasheet that have images, the worst first, `WHOLE` of them at most; none of an older one."""
    found = sheet["accuracy"].get("classes")
    if not found:
        return []
    images, right = found["images"], found["right"]
    seen = [i for i, n in enumerate(images) if n]
    worst = sorted(seen, key=lambda i: (right[i] / images[i], -images[i], i))[:WHOLE]
    return [_row(sheet, i) for i in worst]


def _row(sheet: Mapping[str, Any], i: int) -> ClassRow:
    found = sheet["accuracy"]["classes"]
    right, images = found["right"][i], found["images"][i]
    others = _others(found, i)[:BESIDE]
    taken_for = ", ".join(f"{_name(sheet, j)} {n}" for j, n in others)
    top1 = 100 * right / images
    return ClassRow(_name(sheet, i), right, images, top1, *wilson(top1, images), taken_for)


def _others(found: Mapping[str, Any], i: int) -> list[tuple[int, int]]:
    """(class, images) that images of class i are taken for, as far as it is kept, the most frequent first."""
    pairs = [(c["predicted"], c["images"]) for c in found["confusions"] if c["true"] == i]
    if found["table"]:
        pairs = [(j, n) for j, n in enumerate(found["table"][i]) if n and j != i]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def sentences(sheet: Mapping[str, Any]) -> list[str]:
    """The most frequent confusions in words, as in "12 of 80 'star' taken for 'cross'"."""
    found = sheet["accuracy"].get("classes") or {"confusions": []}
    return [
        f"{c['images']} of {found['images'][c['true']]} '{_name(sheet, c['true'])}' "
        f"taken for '{_name(sheet, c['predicted'])}'"
        for c in found["confusions"][:TOLD]
    ]


def about(sheet: Mapping[str, Any], listed: int) -> str:
    """What the rows are, in a sentence."""
    images = sheet["accuracy"]["classes"]["images"]
    seen = sum(n > 0 for n in images)
    which = "Worst classes first" if listed == seen else f"The worst {listed} of {seen:,} classes"
    unseen = f" {len(images) - seen:,} of {len(images):,} classes have no images here." if seen < len(images) else ""
    return f"{which}; brackets are 95 % intervals (Wilson), wide where a class has few images.{unseen}"


def _name(sheet: Mapping[str, Any], i: int) -> str:
    """A class in a few printable letters, by its number where it has no name."""
    labels: Sequence[str] = (sheet["preprocessing"] or {}).get("labels", ())
    name = labels[i] if i < len(labels) else ""
    plain = " ".join("".join(c if c.isprintable() else " " for c in name[: LETTERS + 1]).split()) or str(i)
    return plain if len(name) <= LETTERS else f"{plain[:LETTERS]}…"
