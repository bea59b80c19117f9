"""The user's own images, and CINIC-10: a folder a split, and in it a folder a class (torchvision's ImageFolder)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hwnas.data.colour import CIFAR, PHOTOS, Preparation
from hwnas.data.damaged import open_files
from hwnas.data.dataset import Dataset
from hwnas.data.listing import Listing, check_root, find_classes, list_split
from hwnas.data.reference import Reference
from hwnas.data.splits import hold_out
from profilers.errors import BadInput

VALIDATION = ("val", "valid", "validation")
# Statistics: Darlow et al. 2018, "CINIC-10 is not ImageNet or CIFAR-10", its repository's README
CINIC = replace(CIFAR, mean=(0.4789, 0.4723, 0.4305), std=(0.2421, 0.2383, 0.2587))


def load_folder(reference: Reference) -> Dataset:
    """The user's own: DIR/train, DIR/val and DIR/test; without val a fifth of each class of train is held out.

    Raises:
        BadInput: another layout, classes that differ between splits, empty ones, damaged images.
    """
    return _load(reference, PHOTOS)


def load_cinic10(reference: Reference) -> Dataset:
    """CINIC-10: 90,000 images each in train/, valid/ and test/."""
    root = reference.folder
    check_root(root, reference.name)
    for split in ("valid", "test"):
        if not (root / split).is_dir():
            raise BadInput(f"no folder {split} in {root}", "train, valid and test, as CINIC-10 is published")
    return _load(reference, CINIC)


def _load(reference: Reference, preparation: Preparation) -> Dataset:
    root = reference.folder
    check_root(root, reference.name)
    classes = find_classes(root / "train")
    train, non_images = list_split(root, "train", classes)
    listings = {"train": train}
    if folder := _validation(root):
        listings["val"], more = list_split(root, folder, classes)
        non_images |= more
    else:
        stays, held = hold_out(train.labels)
        listings = {"train": train.keep(stays), "val": train.keep(held)}
        _check_held_out(listings["val"], classes, root)
    if (root / "test").is_dir():
        listings["test"], more = list_split(root, "test", classes)
        non_images |= more
    return open_files(reference, root, listings, classes, preparation, non_images)


def _validation(root: Path) -> str:
    """The name of the validation images' folder, or ""."""
    found = [name for name in VALIDATION if (root / name).is_dir()]
    if len(found) > 1:
        raise BadInput(f"both {found[0]} and {found[1]} in {root}", "one folder of validation images")
    return found[0] if found else ""


def _check_held_out(held: Listing, classes: list[str], root: Path) -> None:
    if alone := sorted(set(range(len(classes))) - set(held.labels.tolist())):
        got = f"class {classes[alone[0]]} in {root / 'train'} has one image, so none can be held out"
        raise BadInput(got, "2 or more images a class", f"add images, or a folder {root / 'val'}")
