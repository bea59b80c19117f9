"""Data sets that torchvision reads: a row for each, and one clear line where its files are missing or altered.

CIFAR's files are Python pickles: torchvision unpickles them, and only after their MD5 digests are those published.
Sources: CIFAR-10 and -100: Krizhevsky 2009, split as in NSGANetV2, section 4.3. STL-10: Coates, Ng and Lee 2011 (its
100,000 unlabelled images are not used). Oxford 102 Flowers: Nilsback and Zisserman 2008. Oxford-IIIT Pets: Parkhi et
al. 2012. Describable Textures, first of ten partitions: Cimpoi et al. 2014. FGVC Aircraft: Maji et al. 2013.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.data.colour import CIFAR, PHOTOS, ArrayDataset, Preparation
from hwnas.data.damaged import open_files
from hwnas.data.dataset import SPLITS, Dataset
from hwnas.data.listing import Listing
from hwnas.data.reference import Reference
from hwnas.data.splits import hold_out
from profilers.errors import BadInput

Checked = Sequence[tuple[str, str]]  # a file's name and its MD5 digest as published
Parts = dict[str, Any]  # torchvision's data set by split


def _own_splits() -> Mapping[str, Mapping[str, Any]]:
    return {split: {"split": split} for split in SPLITS}


def _unchecked(_: Any) -> Checked:
    return ()


def _cifar_files(cls: Any) -> Checked:
    return [*cls.train_list, *cls.test_list, (cls.meta["filename"], cls.meta["md5"])]


def _stl10_files(cls: Any) -> Checked:
    return [*cls.train_list, *cls.test_list]


def _flowers_files(cls: Any) -> Checked:
    return [cls._file_dict[key] for key in ("label", "setid")]


@dataclass(frozen=True)
class TorchvisionSet:
    """One row.

    Args:
        cls: torchvision's class.
        folder: what that makes in DIR.
        holds: what lies in it, for messages.
        images: the class's attribute with pixels (n, h, w, 3) or (n, 3, h, w), or with the names of files.
        labels: the class's attribute with the labels (n,).
        parts: the class's arguments by split; without "val", some training images are held out.
        held_out: how many; by default a fifth of each class.
        preparation: of the images.
        checked: files whose digests must be those published before torchvision reads anything.
        classes: their number, where older torchvision does not know their names.
    """

    cls: str
    folder: str
    holds: str
    images: str
    labels: str
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=_own_splits)
    held_out: int | None = None
    preparation: Preparation = PHOTOS
    checked: Callable[[Any], Checked] = _unchecked
    classes: int = 0

    @property
    def in_memory(self) -> bool:
        """Whether torchvision gives pixels, and not files."""
        return self.images == "data"

    def open(self, root: Path) -> Parts:
        """Torchvision's data sets.

        Raises:
            BadInput: a folder or file that is missing, or is not as it was published.
        """
        from torchvision import datasets

        make = getattr(datasets, self.cls)
        self._check(root, self.checked(make))
        place = root / self.folder
        try:
            return {split: make(root, **options) for split, options in self.parts.items()}
        except (RuntimeError, ValueError, LookupError, TypeError, OSError) as error:
            raise BadInput(f"{place} is not as torchvision expects it: {error}", self.holds) from error

    def _check(self, root: Path, files: Checked) -> None:
        from torchvision.datasets.utils import check_integrity

        place = root / self.folder
        if not place.is_dir():
            raise BadInput(f"{place} does not exist", f"{place}/ with {self.holds}", self.download(root))
        for name, md5 in files:
            if not check_integrity(str(place / name), md5):
                what = "is not as it was published (its MD5 differs)" if (place / name).exists() else "does not exist"
                raise BadInput(f"{place / name} {what}", self.holds, f"remove {place} and {self.download(root)}")

    def download(self, root: Path) -> str:
        """The command that downloads it."""
        return f"python -c \"import torchvision; torchvision.datasets.{self.cls}('{root}', download=True)\""

    def listing(self, part: Any, root: Path) -> Listing:
        """A part's files as names below `root`; BadInput if one lies outside."""
        names = [os.path.relpath(file, root) for file in getattr(part, self.images)]
        if bad := next((name for name in names if name.startswith("..")), ""):
            raise BadInput(f"a list in {root / self.folder} names {bad}, outside the data set", self.holds)
        return Listing(names, self.labels_of(part))

    def labels_of(self, part: Any) -> NDArray[np.int64]:
        """(n,) labels of a part."""
        return np.array(getattr(part, self.labels), np.int64)

    def class_names(self, parts: Parts, root: Path) -> list[str]:
        """Those of all parts; BadInput if they differ, as they do where only a part of the data is there."""
        first, *others = [self._class_names(part) for part in parts.values()]
        for names in others:
            if names != first:
                differ = ", ".join(sorted(set(names) ^ set(first))[:3])
                raise BadInput(f"the splits in {root} have other classes ({differ})", "the same in each")
        return first

    def _class_names(self, part: Any) -> list[str]:
        return list(getattr(part, "classes", None) or map(str, range(self.classes)))


def load_torchvision(reference: Reference) -> Dataset:
    """The data set of a row of `SETS`; the errors are those of `TorchvisionSet.open` and `open_files`."""
    row, root = SETS[reference.name], reference.folder
    if not root.is_dir():
        raise reference.missing(f"{root / row.folder}/ with {row.holds}", row.download(root))
    parts = row.open(root)
    names = row.class_names(parts, root)
    return _arrays(reference, row, parts, names) if row.in_memory else _files(reference, row, parts, names)


def _files(reference: Reference, row: TorchvisionSet, parts: Parts, names: Sequence[str]) -> Dataset:
    root = reference.folder
    listings = {split: row.listing(part, root) for split, part in parts.items()}
    if "val" not in listings:
        train = listings["train"]
        stays, held = hold_out(train.labels, row.held_out)
        listings = {"train": train.keep(stays), "val": train.keep(held), "test": listings["test"]}
    return open_files(reference, root, listings, names, row.preparation)


def _arrays(reference: Reference, row: TorchvisionSet, parts: Parts, names: Sequence[str]) -> Dataset:
    images = {split: _planes(getattr(part, row.images)) for split, part in parts.items()}
    labels = {split: row.labels_of(part) for split, part in parts.items()}
    stays, held = hold_out(labels["train"], row.held_out)
    for values in (images, labels):
        values["train"], values["val"] = values["train"][stays], values["train"][held]
    return ArrayDataset(reference, images, {split: labels[split] for split in SPLITS}, names, row.preparation)


def _planes(images: NDArray[np.uint8]) -> NDArray[Any]:
    """(n, 3, h, w) of that or of (n, h, w, 3)."""
    return images.transpose(0, 3, 1, 2) if images.shape[-1] == 3 else images


_CIFAR_PARTS = {"train": {"train": True}, "test": {"train": False}}
_CIFAR100 = replace(CIFAR, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
_STL10 = replace(CIFAR, mean=(0.4467, 0.4398, 0.4066), std=(0.2603, 0.2566, 0.2713))

SETS = {
    "cifar10": TorchvisionSet(
        "CIFAR10",
        "cifar-10-batches-py",
        "data_batch_1 … data_batch_5, test_batch, batches.meta",
        "data",
        "targets",
        _CIFAR_PARTS,
        held_out=5000,
        preparation=CIFAR,
        checked=_cifar_files,
    ),
    "cifar100": TorchvisionSet(  # by its 100 fine classes
        "CIFAR100",
        "cifar-100-python",
        "train, test, meta",
        "data",
        "targets",
        _CIFAR_PARTS,
        held_out=5000,
        preparation=_CIFAR100,
        checked=_cifar_files,
    ),
    "stl10": TorchvisionSet(
        "STL10",
        "stl10_binary",
        "train_X.bin, train_y.bin, test_X.bin, test_y.bin, unlabeled_X.bin",
        "data",
        "labels",
        {"train": {"split": "train"}, "test": {"split": "test"}},
        preparation=_STL10,
        checked=_stl10_files,
        classes=10,
    ),
    "flowers102": TorchvisionSet(
        "Flowers102",
        "flowers-102",
        "jpg/image_00001.jpg …, imagelabels.mat, setid.mat",
        "_image_files",
        "_labels",
        checked=_flowers_files,
        classes=102,
    ),
    "pets": TorchvisionSet(
        "OxfordIIITPet",
        "oxford-iiit-pet",
        "images/, annotations/trainval.txt, annotations/test.txt",
        "_images",
        "_labels",
        {"train": {"split": "trainval"}, "test": {"split": "test"}},
    ),
    "dtd": TorchvisionSet(
        "DTD",
        "dtd/dtd",
        "images/CLASS/, labels/train1.txt, labels/val1.txt, labels/test1.txt",
        "_image_files",
        "_labels",
    ),
    "aircraft": TorchvisionSet(
        "FGVCAircraft",
        "fgvc-aircraft-2013b",
        "data/images/, data/variants.txt, data/images_variant_train.txt, …_val.txt, …_test.txt",
        "_image_files",
        "_labels",
    ),
}
