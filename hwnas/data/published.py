"""Data sets that torchvision reads: where they lie, and one clear line where they do not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hwnas.data.check import open_files
from hwnas.data.dataset import SPLITS, Dataset
from hwnas.data.images import PHOTOS, Listing
from hwnas.data.reference import Reference
from profilers.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """A data set of torchvision's: its class there, the folder it makes in DIR, and what lies in that."""

    torchvision: str
    folder: str
    holds: str

    def open(self, root: Path, make: Callable[[], T], files: Sequence[tuple[str, str]] = ()) -> T:
        """What `make` makes with torchvision; `files` are names and MD5 digests that it insists on.

        Raises:
            BadInput: a folder or file that is missing, or is not as it was published.
        """
        from torchvision.datasets.utils import check_integrity

        place = root / self.folder
        if not place.is_dir():
            raise BadInput(f"{place} does not exist", f"{place}/ with {self.holds}", self._download(root))
        for name, md5 in files:  # before torchvision unpickles anything
            if not check_integrity(str(place / name), md5):
                word = "is not as it was published (its MD5 differs)" if (place / name).exists() else "does not exist"
                raise BadInput(f"{place / name} {word}", self.holds, f"remove {place} and {self._download(root)}")
        try:
            return make()
        except (RuntimeError, ValueError, LookupError, TypeError, OSError) as error:
            raise BadInput(f"{place} is not as torchvision expects it: {error}", self.holds) from error

    def listing(self, files: Sequence[str | Path], labels: Sequence[int], root: Path) -> Listing:
        """Files that torchvision lists, as names below `root`; BadInput if one lies outside."""
        names = [os.path.relpath(file, root) for file in files]
        if bad := next((name for name in names if name.startswith("..")), ""):
            raise BadInput(f"a list in {root / self.folder} names {bad}, outside the data set", self.holds)
        return Listing(names, np.array(labels, np.int64))

    def _download(self, root: Path) -> str:
        return f"python -c \"import torchvision; torchvision.datasets.{self.torchvision}('{root}', download=True)\""


def same_classes(found: Sequence[Sequence[str]], place: Path) -> list[str]:
    """The classes of all splits; BadInput if they differ, as they do where only a part of the data is there."""
    for classes in found[1:]:
        if list(classes) != list(found[0]):
            differ = sorted(set(classes) ^ set(found[0]))
            raise BadInput(f"the splits in {place} have other classes ({', '.join(differ[:3])})", "the same in each")
    return list(found[0])


def with_own_splits(
    published: Published,
    reference: Reference,
    make: Callable[..., Any],
    files: Sequence[tuple[str, str]] = (),
    class_names: Sequence[str] | None = None,
) -> Dataset:
    """A data set of photos that torchvision has as training, validation and test images.

    Args:
        published: where it lies.
        reference: of the data set.
        make: torchvision's class, called with the folder and `split`.
        files: as of `Published.open`.
        class_names: in the order of the labels; by default what torchvision calls them.
    """
    root = reference.folder
    opened = published.open(root, lambda: [make(root, split=split) for split in SPLITS], files)
    names = class_names or same_classes([x.classes for x in opened], root)
    listings = {s: published.listing(x._image_files, x._labels, root) for s, x in zip(SPLITS, opened, strict=True)}
    return open_files(reference, root, listings, names, PHOTOS)
