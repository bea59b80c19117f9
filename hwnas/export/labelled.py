"""Labelled images as an export sees them: a split of a data set, or a folder of the user's for a model made elsewhere.

DIR/CLASS/…/image     CLASS is the name of an output, its number from 0, or, where there are as many folders as
outputs and neither fits, the folders in sorted order are the outputs in theirs
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.export.exportable import Labels, Values
from profilers.errors import BadInput, FileProblem

if TYPE_CHECKING:
    from hwnas.data import Dataset

TOGETHER = 64  # images that are in memory
ALL = "all"
LAYOUT = "DIR/CLASS/image files"


@dataclass(frozen=True)
class DatasetSplit:
    """A split of a data set at one resolution."""

    data: Dataset
    split: str
    size: int

    @property
    def dataset(self) -> str:
        """See `Labelled`."""
        return self.data.name

    @property
    def name(self) -> str:
        """See `Labelled`."""
        return f"{self.data.name} {self.split} split"

    def batches(self, count: int | None = None) -> Iterator[tuple[Values, Labels]]:
        """See `Labelled`."""
        for images, labels in self.data.batches(self.split, self.size, TOGETHER, count):
            yield images.numpy(), labels.numpy()


@dataclass(frozen=True)
class LabelledFolder:
    """Images below a folder, one folder a class, prepared as the datasheet's section says."""

    root: Path
    preprocessing: Mapping[str, Any]
    split: str = ALL

    @property
    def dataset(self) -> str:
        """See `Labelled`."""
        return str(self.root)

    @property
    def name(self) -> str:
        """See `Labelled`."""
        return f"images of {self.root}"

    @cached_property
    def listing(self) -> tuple[Sequence[str], Labels, str]:
        """Files, the output that each belongs to, and what is to be known of how these were matched, or "".

        Raises:
            BadInput: no folder, no images, images beside the folders, or folders that are no outputs.
        """
        from hwnas.data.listing import Folder
        from hwnas.data.reference import folder_reference

        folder = Folder.of(folder_reference(self.root))
        if not folder.root.is_dir():
            raise BadInput(f"the folder {self.root} does not exist", LAYOUT)
        files = folder.images()
        folder.passed.say(self.root)
        if loose := [name for name in files if len(Path(name).parts) == 1]:
            raise BadInput(f"images lie straight in {self.root} ({loose[0]})", LAYOUT, "a folder for each class")
        if not files:
            raise BadInput(f"no images in {self.root}", LAYOUT)
        folders = [Path(name).parts[0] for name in files]
        outputs, note = outputs_of(sorted(set(folders)), self.preprocessing["labels"], self.root)
        return files, np.array([outputs[name] for name in folders], np.int64), note

    def batches(self, count: int | None = None) -> Iterator[tuple[Values, Labels]]:
        """See `Labelled`."""
        from hwnas.data.splits import keyed_order, keys_of

        files, labels, _ = self.listing
        order = np.arange(len(files))
        if count is not None:
            order = keyed_order(labels, keys_of(os.fsencode(name) for name in files))[:count]
        for start in range(0, len(order), TOGETHER):
            part = order[start : start + TOGETHER]
            yield np.concatenate([read_input(self.root / files[i], self.preprocessing) for i in part]), labels[part]


def read_input(path: Path, preprocessing: Mapping[str, Any]) -> Values:
    """One image as `run.py` prepares it, as a row; BadInput where it is none."""
    from hwnas.data.picture import Damaged, prepare

    try:
        found: Values = prepare(path, preprocessing)
    except Damaged as error:
        raise BadInput(f"{path} is no image that can be read: {error}", "an intact one", "remove it") from error
    except OSError as error:
        raise FileProblem(f"cannot read {path}: {error.strerror}", remedy="check the disk and permissions") from error
    return found


def outputs_of(folders: Sequence[str], labels: Sequence[str], root: Path) -> tuple[dict[str, int], str]:
    """The output of each folder, by name, by number, or by order; and a note where it is by order.

    Raises:
        BadInput: a folder that is no output.
    """
    named = _by_name(labels)
    found = {name: named.get(name, named.get(_plain(name), -1)) for name in folders}
    if all(i >= 0 for i in found.values()):
        return found, ""
    if all(name.isdecimal() and int(name) < len(labels) for name in folders):
        return {name: int(name) for name in folders}, ""
    if len(folders) == len(labels):
        note = f"the {len(folders)} folders of {root} are taken for the outputs in sorted order: check that they are"
        return {name: i for i, name in enumerate(folders)}, note
    unknown = next(name for name, i in found.items() if i < 0)
    got = f"folder {unknown!r} in {root} is none of the model's {len(labels)} outputs"
    allowed = f"their names, numbers from 0, or {len(labels)} folders"
    raise BadInput(got, allowed, "--labels FILE with a line for each output, named as the folders")


def _by_name(labels: Sequence[str]) -> dict[str, int]:
    """Outputs by their names, and by those in plain form which only one of them has."""
    plain = Counter(map(_plain, labels))
    alike = {_plain(label): i for i, label in enumerate(labels) if plain[_plain(label)] == 1}
    return alike | {label: i for i, label in enumerate(labels)}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()
